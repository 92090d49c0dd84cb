#include "api/sandbox/request.h"

#include "base/ascii.h"
#include "config/template_find.h"
#include "http/uri.h"

#include <string.h>

int sandbox_parse(struct slice body, json_t **out, struct error *err)
{
	json_t *value = NULL;
	struct error why;

	if (json_parse_with_nul(body, &value, &why) < 0 && strcmp(why.code, "json_nul_in_key") == 0)
		return error_set(err, 400, "path_nul", "Path contains null bytes");
	if (!json_is_object(value)) {
		json_decref(value);
		value = json_object();
	}
	*out = value;
	return 0;
}

static bool is_truthy(const json_t *value)
{
	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		return json_string_length(value) > 0;
	case JSON_INTEGER:
	case JSON_REAL:
		return json_number_value(value) < 0 || json_number_value(value) > 0;
	case JSON_ARRAY:
		return json_array_size(value) > 0;
	case JSON_OBJECT:
		return json_object_size(value) > 0;
	default:
		return json_is_true(value);
	}
}

int sandbox_require(const json_t *body, const char *const *names, struct error *err)
{
	_cleanup_buf_ struct buf missing = buf_new(ERROR_MESSAGE_BYTES);

	for (; *names; names++)
		if (!is_truthy(json_object_get(body, *names)))
			(void)!buf_printf(&missing, "%s%s", missing.len ? ", " : "", *names);
	return missing.len ? error_set(err, 400, "fields_missing", "Missing required fields: %s",
				       missing.data)
			   : 0;
}

int sandbox_text(const json_t *body, const char *name, const char *fallback, struct slice *out,
		 struct error *err)
{
	const json_t *value = json_object_get(body, name);

	if (!value || json_is_null(value)) {
		*out = slice_of(fallback);
		return 0;
	}
	if (!json_is_string(value))
		return error_set(err, 400, "wrong_type", "%s must be a string", name);
	*out = (struct slice){json_string_value(value), json_string_length(value)};
	return 0;
}

int sandbox_name(const json_t *body, const char *name, const char *fallback, struct slice *out,
		 struct error *err)
{
	struct slice text = SLICE_LITERAL("");

	if (sandbox_text(body, name, fallback, &text, err) < 0)
		return -1;
	if (text.len > SANDBOX_NAME_MAX_BYTES)
		return error_set(err, 400, "name_too_long", "%s exceeds %d bytes", name,
				 SANDBOX_NAME_MAX_BYTES);
	if (ascii_has_control(text))
		return error_set(err, 400, "name_characters", "%s must not hold control characters",
				 name);
	*out = text;
	return 0;
}

uint64_t sandbox_timeout_s(const json_t *body, const struct template *template)
{
	const json_t *asked = json_object_get(body, "timeout");
	json_int_t seconds = json_is_real(asked) ? (json_int_t)json_real_value(asked)
						 : json_integer_value(asked);
	uint64_t timeout_s = template->timeout_s;

	if (json_is_number(asked) && json_number_value(asked) >= 1 &&
	    json_number_value(asked) <= SANDBOX_TIMEOUT_MAX_S)
		timeout_s = (uint64_t)seconds;
	return timeout_s < template->timeout_max_s ? timeout_s : template->timeout_max_s;
}

int sandbox_template(const struct config *config, struct slice name, struct template *out,
		     struct error *err)
{
	if (template_find_public(config, name, out, err) == 0)
		return 0;
	return err->status == 404
		       ? template_find_public(config, SLICE_LITERAL(TEMPLATE_DEFAULT), out, err)
		       : -1;
}

int sandbox_asked_template(const struct config *config, const json_t *body, struct template *out,
			   struct error *err)
{
	struct slice name = {0};

	if (sandbox_text(body, "template", TEMPLATE_DEFAULT, &name, err) < 0)
		return -1;
	return sandbox_template(config, name, out, err);
}

int sandbox_ttl_s(const json_t *body, uint64_t *out, struct error *err)
{
	const json_t *ttl = json_object_get(body, "ttl");
	double seconds = json_number_value(ttl);

	*out = SESSION_TTL_DEFAULT_S;
	if (!ttl || json_is_null(ttl))
		return 0;
	if (!json_is_number(ttl) || !(seconds >= 1 && seconds <= SESSION_TTL_MAX_S))
		return error_set(err, 400, "bad_ttl",
				 "ttl must be a number of seconds from 1 to %d", SESSION_TTL_MAX_S);
	*out = (uint64_t)seconds;
	return 0;
}

int sandbox_query_tenant(struct slice query, struct buf *out, struct error *err)
{
	struct slice value;

	if (!uri_query(query, "tenant_id", &value))
		return 0;
	return uri_decode(value, out, err) < 0
		       ? error_set(err, 400, "bad_query", "tenant_id cannot be read")
		       : 0;
}
