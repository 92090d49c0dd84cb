#include "ctl/command.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sysexits.h>

const char *ctl_option(const struct ctl_arguments *arguments, const char *name)
{
	for (int i = arguments->option_count; i-- > 0;)
		if (strcmp(arguments->options[i].name, name) == 0)
			return arguments->options[i].value;
	return NULL;
}

int ctl_number(const struct ctl_arguments *arguments, const char *command, const char *name,
	       uint64_t least, uint64_t most, uint64_t *out)
{
	const char *text = ctl_option(arguments, name);
	uint64_t number;

	if (!text)
		return 0;
	if (num_parse(slice_of(text), 10, most, &number) < 0 || number < least)
		return ctl_fail(command, -1, "%s does not take \"%s\"", name, text);
	*out = number;
	return 0;
}

int ctl_fail(const char *command, int status, const char *format, ...)
{
	va_list arguments;

	(void)fprintf(stderr, "mayflyctl %s: ", command);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fputc('\n', stderr);
	return status;
}

int ctl_error(const char *command, const struct error *err)
{
	bool is_config = strcmp(err->code, "bad_configuration") == 0;
	bool is_data = err->status < 500 || slice_starts(slice_of(err->code), "bad_");

	return ctl_fail(command,
			is_config ? EX_CONFIG
			: is_data ? EX_DATAERR
				  : EX_OSERR,
			"%s", err->message);
}

bool ctl_entry_name(const char *path, char out[REGISTRY_NAME_MAX_BYTES + 1])
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t len = strcspn(name, ".");

	if (!registry_is_name((struct slice){name, len}) || strcmp(name + len, ".json") != 0)
		return false;
	(void)snprintf(out, REGISTRY_NAME_MAX_BYTES + 1, "%.*s", (int)len, name);
	return true;
}

int ctl_print_json(json_t *value, size_t flags)
{
	(void)json_dumpf(value, stdout, flags | JSON_REAL_PRECISION(15));
	(void)putchar('\n');
	json_decref(value);
	return EX_OK;
}

const char *ctl_text(const json_t *object, const char *name)
{
	const char *text = json_text(object, name);

	return text ? text : "";
}

int ctl_read_file(const char *command, const char *path, size_t most_bytes, char **out, size_t *len)
{
	_cleanup_close_ int fd =
		strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && io_read_to_end(fd, most_bytes, out, len) == 0
		       ? 0
		       : ctl_fail(command, -1, "%s: %s", path, strerror(errno));
}
