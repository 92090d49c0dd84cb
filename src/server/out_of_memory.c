#include "server/out_of_memory.h"

#include "base/memory.h"
#include "http/reply.h"

#include <sys/socket.h>
#include <unistd.h>

#define BODY                                                                                       \
	"{\"statusCode\":503,\"code\":\"out_of_memory\",\"error\":\"Service Unavailable\","        \
	"\"message\":\"The request needs more memory than there is; try a smaller one\"}"

static int client;

static void refuse(void)
{
	static const char reply[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
				    "Content-Type: application/json; charset=utf-8\r\n"
				    "Retry-After: 1\r\n\r\n" BODY;
	static const char line[] = "mayfly code=\"out_of_memory\"\n";

	(void)!write(STDERR_FILENO, line, sizeof(line) - 1);
	if (http_reply_has_begun())
		return;
	(void)send(client, reply, sizeof(reply) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	http_linger(client);
}

void server_end_when_out_of_memory(int connection)
{
	client = connection;
	memory_end_when_out(refuse);
}
