#include "api/sandbox/request.h"

#include "base/ascii.h"
#include "config/template_find.h"
#include "http/uri.h"
#include "json/read.h"

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

bool sandbox_is_given(const json_t *value)
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

/* The message names all fields of the route, whichever is missing. */
static int require(const json_t *body, const char *const *names, struct error *err)
{
	_cleanup_buf_ struct buf all = buf_new(ERROR_MESSAGE_BYTES);
	bool is_missing = false;

	for (; *names; names++) {
		is_missing |= !sandbox_is_given(json_object_get(body, *names));
		(void)!buf_printf(&all, "%s%s", all.len ? ", " : "", *names);
	}
	return is_missing ? error_set(err, 400, "fields_missing", "Missing required fields: %s",
				      all.data)
			  : 0;
}

#define TEXT(place) READ_FIELD(struct sandbox_request, place, #place, READ_SLICE)
#define NAME(place)                                                                                \
	{                                                                                          \
		TEXT(place), READ_BOUNDS(0, SANDBOX_NAME_MAX_BYTES), .too_large = {                \
			"name_too_long",                                                           \
			"exceeds 255 bytes"                                                        \
		}                                                                                  \
	}

#define NAME_COUNT 3
static const struct json_field fields[] = {
	NAME(tenant_id), NAME(scope),      NAME(session_id),
	{TEXT(code)},    {TEXT(template)}, {TEXT(language)},
};

/* Rule 2. */
static void make_text(json_t *body, const char *name)
{
	json_t *value = json_object_get(body, name);

	if (json_is_array(value) || json_is_object(value))
		return;
	if (!sandbox_is_given(value))
		(void)json_object_del(body, name);
	else if (json_is_true(value))
		(void)json_object_set_new(body, name, json_string("true"));
	else if (json_is_number(value))
		(void)json_object_set_new(body, name,
					  json_sprintf("%.15g", json_number_value(value)));
}

int sandbox_take(json_t *body, const char *const *required, struct sandbox_request *out,
		 struct error *err)
{
	const struct slice *names[NAME_COUNT] = {&out->tenant_id, &out->scope, &out->session_id};
	static const struct slice none = SLICE_LITERAL("");

	*out = (struct sandbox_request){
		none, none, none, none, SLICE_LITERAL(TEMPLATE_DEFAULT), SLICE_LITERAL("python")};
	if (require(body, required, err) < 0)
		return -1;
	for (size_t i = 0; i < COUNT_OF(fields); i++)
		make_text(body, fields[i].name);
	if (json_take(body, "", fields, COUNT_OF(fields), JSON_NULL_IS_ABSENT, out, err) < 0)
		return -1;
	for (unsigned i = 0; i < NAME_COUNT; i++)
		if (ascii_has_control(*names[i]))
			return error_set(err, 400, "name_characters",
					 "%s must not hold control characters", fields[i].name);
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

int sandbox_ttl_s(const json_t *body, uint64_t *out, struct error *err)
{
	const json_t *ttl = json_object_get(body, "ttl");
	double seconds = json_number_value(ttl);

	*out = SESSION_TTL_DEFAULT_S;
	if (!sandbox_is_given(ttl))
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
