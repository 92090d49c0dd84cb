#include "api/tools/agent_fields.h"

#include "bounds.h"

#define TEXT(number)        #number
#define NUMBER_TEXT(number) TEXT(number)
#define SESSION_ID_MAX      NUMBER_TEXT(SESSION_ID_MAX_BYTES)
#define TIMEOUT_MIN         NUMBER_TEXT(TIMEOUT_MIN_S)
#define TIMEOUT_MAX         NUMBER_TEXT(TIMEOUT_MAX_S)
#define TIMEOUT_DEFAULT     NUMBER_TEXT(TIMEOUT_DEFAULT_S)

static const char schemas[] =
	"{\"sessionId\":{\"type\":\"string\",\"format\":\"session-id\",\"minLength\":1,"
	"\"maxLength\":" SESSION_ID_MAX ",\"description\":\"Results are kept under this name.\","
	"\"errorMessage\":{\"minLength\":\"Session ID must not be empty\"}},"
	"\"timeout\":{\"type\":\"integer\",\"minimum\":" TIMEOUT_MIN ",\"maximum\":" TIMEOUT_MAX
	",\"default\":" TIMEOUT_DEFAULT ",\"description\":\"Seconds.\","
	"\"errorMessage\":{\"minimum\":\"Timeout must be at least 1 second\","
	"\"maximum\":\"Timeout cannot exceed 900 seconds (15 minutes)\"}},"
	"\"cache\":{\"type\":\"boolean\",\"default\":false,\"description\":"
	"\"True: the stored result of the same job will do, if there is one.\"}}";

const struct slice agent_parameters = {schemas, sizeof(schemas) - 1};
