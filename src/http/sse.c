#include "http/sse.h"

#include "base/ascii.h"
#include "base/date.h"
#include "base/io.h"
#include "http/reply.h"

#include <errno.h>
#include <sys/socket.h>

struct sse sse_new(int fd, size_t max)
{
	return (struct sse){.fd = fd, .outgoing = buf_new(max)};
}

void sse_free(struct sse *sse)
{
	buf_free(&sse->outgoing);
}

/* Takes what is before the separator off text. */
static struct slice next_part(struct slice *text, char separator)
{
	return ascii_trim(slice_take(text, separator));
}

/* qvalue = ( "0" [ "." 0*3("0") ] ), RFC 9110 section 12.4.2 */
static bool is_zero_weight(struct slice parameter)
{
	if (!slice_starts_nocase(parameter, "q=0"))
		return false;
	slice_skip(&parameter, strlen("q=0"));
	return ascii_is_of(parameter, ".0");
}

bool sse_is_accepted(const struct http_request *request)
{
	const struct slice *field = http_field(request, "Accept");
	struct slice ranges = field ? *field : SLICE_LITERAL("");

	while (ranges.len) {
		struct slice parameters = next_part(&ranges, ',');
		bool is_wanted = slice_eq_nocase(next_part(&parameters, ';'), "text/event-stream");

		while (parameters.len)
			is_wanted &= !is_zero_weight(next_part(&parameters, ';'));
		if (is_wanted)
			return true;
	}
	return false;
}

bool sse_push(struct sse *sse)
{
	struct buf *outgoing = &sse->outgoing;
	size_t done = 0;

	while (!sse->is_broken && done < outgoing->len) {
		ssize_t sent = send(sse->fd, outgoing->data + done, outgoing->len - done,
				    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent > 0)
			done += (size_t)sent;
		else if (sent < 0 && errno == EAGAIN)
			break;
		else if (sent == 0 || errno != EINTR)
			sse->is_broken = true;
	}
	if (sse->is_broken)
		done = outgoing->len;
	if (done) {
		memmove(outgoing->data, outgoing->data + done, outgoing->len - done);
		outgoing->len -= done;
	}
	return outgoing->len > 0;
}

/* Takes what was added, or notes that the client is too far behind. */
static void added(struct sse *sse, int failed)
{
	sse->is_broken |= failed != 0;
	sse->sent = deadline_in(0);
	(void)sse_push(sse);
}

void sse_begin(struct sse *sse)
{
	char date[DATE_HTTP_BYTES];
	int failed = 0;

	http_reply_begins();
	date_http(time(NULL), date);
	/* X-Accel-Buffering: nginx would gather the events */
	failed |=
		buf_printf(&sse->outgoing,
			   "HTTP/1.1 200 OK\r\nDate: %s\r\nConnection: close\r\n"
			   "X-Content-Type-Options: nosniff\r\nContent-Type: text/event-stream\r\n"
			   "Cache-Control: no-store\r\nX-Accel-Buffering: no\r\n",
			   date);
	failed |= http_reply_add_sharing(&sse->outgoing);
	failed |= buf_append_text(&sse->outgoing, "\r\n");
	added(sse, failed);
}

void sse_event(struct sse *sse, const char *name, struct slice data)
{
	struct buf *outgoing = &sse->outgoing;
	size_t before = outgoing->len;
	int failed = name ? buf_printf(outgoing, "event: %s\n", name) : 0;

	failed |= buf_append_text(outgoing, "data: ");
	failed |= buf_append(outgoing, data.data, data.len);
	failed |= buf_append_text(outgoing, "\n\n");
	if (failed)
		outgoing->len = before;
	added(sse, failed);
}

void sse_beat(struct sse *sse)
{
	if (deadline_in(0) - sse->sent >= SSE_HEARTBEAT_MS)
		added(sse, buf_append_text(&sse->outgoing, ":\n\n"));
}

int sse_end(struct sse *sse, deadline_ms deadline)
{
	struct buf *outgoing = &sse->outgoing;
	int sent = 0;

	if (sse->is_broken) {
		errno = EPIPE;
		return -1;
	}
	if (outgoing->len)
		sent = io_send_all(sse->fd, outgoing->data, outgoing->len, deadline);
	outgoing->len = 0;
	return sent;
}
