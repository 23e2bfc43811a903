/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The shapes of answers; see schemas.h. */
#include "api/codes.h"
#include "api/schema_table.h"

/* clang-format off */
#define DAYS "{\"type\":\"integer\",\"minimum\":0,\"maximum\":36500}"
#define RETENTION                                                              \
	"\"retention\":{\"type\":\"object\",\"properties\":{\"keep_days\":" DAYS   \
	",\"keep_failed_days\":" DAYS ",\"keep_log_days\":" DAYS                   \
	",\"artifact_days\":" DAYS                                                \
	",\"keep_runs\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":1000000}"  \
	",\"keep_last_success\":{\"type\":\"boolean\"}},"                          \
	"\"additionalProperties\":false}"

/* The shapes that answers name; additional properties stay possible. */
static const struct schema schemas[] = {
	{"Status",        "{\"type\":\"object\",\"required\":[\"status\"],"
		   "\"properties\":{\"status\":" STRING "}}"},
	{"Index",         "{\"type\":\"object\",\"required\":[\"name\",\"version\","
		  "\"source_url\"],\"properties\":{\"name\":" STRING
		  ",\"version\":" STRING ",\"source_url\":" STRING "}}"},
	{"Version",       "{\"type\":\"object\",\"required\":[\"version\",\"api\"],"
		    "\"properties\":{\"version\":" STRING ",\"api\":" STRING
		    ",\"format\":" INTEGER "}}"},
	{"OpenidConfiguration",
	 "{\"type\":\"object\",\"required\":[\"issuer\",\"jwks_uri\"],"
	 "\"properties\":{\"issuer\":" STRING ",\"jwks_uri\":" STRING "}}"},
	{"Jwks", "{\"type\":\"object\",\"required\":[\"keys\"],\"properties\":{"
		 "\"keys\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
		 "\"required\":[\"kty\",\"crv\",\"x\",\"y\",\"kid\",\"use\","
		 "\"alg\"]}}}}"},
	{"SealingKey",
	 "{\"type\":\"object\",\"required\":[\"kid\",\"store\",\"public_key\","
	 "\"time\"],\"properties\":{\"kid\":" STRING ",\"store\":" STRING
	 ",\"public_key\":" STRING ",\"time\":" INTEGER "}}"},
	{"Config", "{\"type\":\"object\",\"required\":[\"file\",\"settings\"],"
		   "\"properties\":{\"file\":" MAYBE("string") ",\"settings\":{"
		   "\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":["
		   "\"key\",\"value\",\"source\",\"reload\"],\"properties\":{"
		   "\"key\":" STRING ",\"source\":{\"type\":\"string\",\"enum\":["
		   "\"default\",\"file\",\"option\"]},\"reload\":{\"type\":"
		   "\"boolean\"}}}}}}"},
	{"Reloaded", "{\"type\":\"object\",\"required\":[\"settings\","
		     "\"needs_restart\",\"policies\",\"certificate\"],"
		     "\"properties\":{\"settings\":{\"type\":\"array\",\"items\":"
		     STRING "},\"needs_restart\":{\"type\":\"array\",\"items\":"
		     STRING "},\"policies\":{\"type\":\"boolean\"},"
		     "\"certificate\":{\"type\":\"boolean\"}}}"},
	{"Doctor", "{\"type\":\"object\",\"required\":[\"usable\",\"user\",\"steps\"],"
		   "\"properties\":{\"usable\":{\"type\":\"boolean\"},\"user\":" STRING
		   ",\"steps\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
		   "\"required\":[\"step\",\"verdict\"],\"properties\":{\"step\":" STRING
		   ",\"verdict\":{\"type\":\"string\",\"enum\":[\"ok\",\"missing\","
		   "\"refused\",\"skipped\"]}}}}}}"},
	{"Whoami",        "{\"type\":\"object\",\"required\":[\"name\",\"roles\"],"
		   "\"properties\":{\"name\":" STRING ",\"roles\":{\"type\":"
		   "\"array\",\"items\":" STRING
		   "},\"server\":" STRING ",\"token\":" STRING
		   ",\"provider\":" STRING ",\"groups\":{\"type\":"
		   "\"array\",\"items\":" STRING "},\"expires_at\":" STRING
		   ",\"projects\":{\"type\":\"array\",\"items\":" STRING
		   "}}}"},
	{"Validated",
	 "{\"type\":\"object\",\"required\":[\"valid\","
	 "\"definition_digest\"],\"properties\":{\"valid\":{\"type\":"
	 "\"boolean\"},\"definition_digest\":" STRING "}}"},
	{"Task",
	 "{\"type\":\"object\",\"required\":[\"name\",\"state\",\"attempt\"],"
	 "\"properties\":{\"name\":" STRING
	 ",\"state\":{\"$ref\":\"#/components/schemas/State\"},"
	 "\"kind\":" MAYBE(
		 "string") ",\"blocked\":" MAYBE("string") ",\"run_id\":" STRING ",\"attempt\":" INTEGER
			   ",\"exit_code\":" MAYBE("integer") ",\"signal\":" MAYBE(
				   "integer") "}}"},
	{"State",         "{\"type\":\"string\",\"enum\":[\"queued\",\"blocked\","
		  "\"running\",\"succeeded\",\"failed\",\"cancelled\","
		  "\"skipped\"]}"},
	{"Run",
	 "{\"type\":\"object\",\"required\":[\"id\",\"project\",\"job\","
	 "\"state\",\"created_at\"],\"properties\":{\"id\":{\"type\":"
	 "\"string\",\"pattern\":\"^run_[0-9A-HJKMNP-TV-Z]{26}$\"},"
	 "\"project\":" STRING ",\"job\":" STRING
	 ",\"state\":{\"$ref\":\"#/components/schemas/State\"},"
	 "\"kind\":" MAYBE(
		 "string") ",\"parent\":{\"type\":[\"object\",\"null\"],"
			   "\"required\":[\"run_id\",\"task\",\"attempt\"]},"
			   "\"created_at\":" STRING
			   ",\"tasks\":{\"type\":\"array\",\"items\":{\"$ref\":"
			   "\"#/components/schemas/Task\"}}}}"},
	{"Job",
	 "{\"type\":\"object\",\"required\":[\"project\",\"name\","
	 "\"definition_digest\",\"created_at\",\"changed_at\"],"
	 "\"properties\":{\"project\":" STRING ",\"name\":" STRING
	 ",\"description\":" STRING
	 ",\"definition_digest\":{\"$ref\":\"#/components/schemas/Digest\"}"
	 ",\"syntax\":" STRING ",\"created_at\":" STRING
	 ",\"changed_at\":" STRING ",\"changed_by\":" STRING
	 ",\"hooks\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
	 "\"required\":[\"name\",\"scheme\",\"url\"]}}"
	 ",\"definition\":{\"type\":\"object\"}}}"},
	{"Definition",    "{\"type\":\"object\"}"},
	{"Record",
	 "{\"type\":\"object\",\"required\":[\"record\",\"run\",\"attempts\"],"
	 "\"properties\":{\"record\":{\"const\":1},\"run\":{\"$ref\":"
	 "\"#/components/schemas/Run\"},\"attempts\":{\"type\":\"array\","
	 "\"items\":{\"type\":\"object\",\"required\":[\"task\",\"attempt\","
	 "\"state\"]}}}}"},
	{"Event",
	 "{\"type\":\"object\",\"required\":[\"id\",\"type\",\"run_id\","
	 "\"state\",\"ts\"],\"properties\":{\"id\":" INTEGER ",\"type\":{"
	 "\"type\":\"string\",\"enum\":[\"run\",\"task\",\"artifact\","
	 "\"approval\"]},\"run_id\":" STRING ",\"task\":" STRING
	 ",\"artifact\":" STRING ",\"attempt\":" INTEGER ",\"state\":{\"$ref\":"
	 "\"#/components/schemas/State\"},\"kind\":" MAYBE("string") ",\"ts\":"
	 STRING "}}"},
	{"LogFrame",
	 "{\"type\":\"object\",\"required\":[\"seq\",\"ts\",\"task\","
	 "\"attempt\",\"stream\"],\"properties\":{\"seq\":" INTEGER
	 ",\"ts\":" STRING ",\"task\":" STRING ",\"attempt\":" INTEGER
	 ",\"stream\":{\"type\":\"string\",\"enum\":[\"stdout\",\"stderr\","
	 "\"system\"]},\"cut\":{\"type\":\"boolean\"},\"data\":" STRING
	 ",\"data_b64\":" STRING "}}"},
	{"Digest",
	 "{\"type\":\"string\",\"pattern\":\"^sha256:[0-9a-f]{64}$\"}"},
	{"Revision",
	 "{\"type\":\"object\",\"required\":[\"definition_digest\","
	 "\"current\",\"created_at\"],\"properties\":{"
	 "\"definition_digest\":{\"$ref\":\"#/components/schemas/Digest\"}"
	 ",\"current\":{\"type\":\"boolean\"},\"syntax\":" STRING
	 ",\"created_at\":" STRING ",\"created_by\":" STRING
	 ",\"definition\":{\"type\":\"object\"}}}"},
	{"Diff",
	 "{\"type\":\"object\",\"required\":[\"from\",\"to\",\"changes\"],"
	 "\"properties\":{\"from\":{\"$ref\":\"#/components/schemas/Digest\"}"
	 ",\"to\":{\"$ref\":\"#/components/schemas/Digest\"},\"changes\":{"
	 "\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":["
	 "\"op\",\"pointer\"],\"properties\":{\"op\":{\"type\":\"string\","
	 "\"enum\":[\"add\",\"remove\",\"replace\"]},\"pointer\":" STRING
	 ",\"from\":{},\"to\":{}}}}}}"},
	{"Project",       "{\"type\":\"object\",\"required\":["
		    "\"name\""
		    ",\"created_at\""
		    "],\"properties\":{"
		    "\"name\":{\"type\":\"string\"}"
		    ",\"paused\":{\"type\":\"boolean\"},\"max_running\":{\"type\":\"integer\"},\"retention\":{\"type\":\"object\"},\"cache_max_bytes\":{\"type\":\"integer\"},\"description\":{\"type\":\"string\"}"
		    ",\"created_at\":{\"type\":\"string\"}"
		    ",\"changed_at\":{\"type\":\"string\"}"
		    ",\"changed_by\":{\"type\":\"string\"}"
		    "}}"},
	{"User",          "{\"type\":\"object\",\"required\":["
		 "\"name\""
		 ",\"created_at\""
		 "],\"properties\":{"
		 "\"name\":{\"type\":\"string\"}"
		 ",\"full_name\":{\"type\":\"string\"}"
		 ",\"email\":{\"type\":\"string\"}"
		 ",\"uid\":{\"type\":\"integer\"}"
		 ",\"disabled\":{\"type\":\"boolean\"}"
		 ",\"certificates\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"
		 ",\"created_at\":{\"type\":\"string\"}"
		 ",\"changed_at\":{\"type\":\"string\"}"
		 ",\"changed_by\":{\"type\":\"string\"}"
		 "}}"},
	{"Group",
	 "{\"type\":\"object\",\"required\":["
	 "\"name\""
	 ",\"members\""
	 ",\"created_at\""
	 "],\"properties\":{"
	 "\"name\":{\"type\":\"string\"}"
	 ",\"description\":{\"type\":\"string\"}"
	 ",\"members\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"
	 ",\"created_at\":{\"type\":\"string\"}"
	 ",\"changed_at\":{\"type\":\"string\"}"
	 ",\"changed_by\":{\"type\":\"string\"}"
	 "}}"},
	{"Role",
	 "{\"type\":\"object\",\"required\":["
	 "\"name\""
	 ",\"role\""
	 ",\"projects\""
	 ",\"members\""
	 ",\"created_at\""
	 "],\"properties\":{"
	 "\"name\":{\"type\":\"string\"}"
	 ",\"role\":{\"type\":\"string\"}"
	 ",\"projects\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"
	 ",\"members\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"
	 ",\"created_at\":{\"type\":\"string\"}"
	 ",\"changed_at\":{\"type\":\"string\"}"
	 ",\"changed_by\":{\"type\":\"string\"}"
	 "}}"},
	{"Token",
	 "{\"type\":\"object\",\"required\":["
	 "\"id\""
	 ",\"name\""
	 ",\"subject\""
	 ",\"role\""
	 ",\"projects\""
	 ",\"created_at\""
	 ",\"expires_at\""
	 ",\"used_at\""
	 "],\"properties\":{"
	 "\"id\":{\"type\":\"string\"}"
	 ",\"name\":{\"type\":\"string\"}"
	 ",\"subject\":{\"type\":\"string\"}"
	 ",\"role\":{\"type\":\"string\"}"
	 ",\"projects\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"
	 ",\"created_at\":{\"type\":\"string\"}"
	 ",\"created_by\":{\"type\":\"string\"}"
	 ",\"expires_at\":{\"type\":\"string\"}"
	 ",\"used_at\":{\"type\":[\"string\",\"null\"]}"
	 "}}"},
	{"NewToken",
	 "{\"type\":\"object\",\"required\":["
	 "\"id\""
	 ",\"name\""
	 ",\"subject\""
	 ",\"role\""
	 ",\"projects\""
	 ",\"created_at\""
	 ",\"expires_at\""
	 ",\"token\""
	 "],\"properties\":{"
	 "\"id\":{\"type\":\"string\"}"
	 ",\"name\":{\"type\":\"string\"}"
	 ",\"subject\":{\"type\":\"string\"}"
	 ",\"role\":{\"type\":\"string\"}"
	 ",\"projects\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"
	 ",\"created_at\":{\"type\":\"string\"}"
	 ",\"created_by\":{\"type\":\"string\"}"
	 ",\"expires_at\":{\"type\":\"string\"}"
	 ",\"used_at\":{\"type\":[\"string\",\"null\"]}"
	 ",\"token\":{\"type\":\"string\"}"
	 "}}"},
	{"Schedule",
	 "{\"type\":\"object\",\"required\":[\"name\",\"cron\",\"timezone\","
	 "\"missed\",\"overlap\",\"paused\",\"next_at\",\"last_run\",\"error\"],"
	 "\"properties\":{\"name\":" STRING ",\"cron\":" STRING
	 ",\"timezone\":" STRING ",\"missed\":" STRING ",\"overlap\":" STRING
	 ",\"paused\":{\"type\":\"boolean\"},\"next_at\":" MAYBE("string")
	 ",\"last_run\":" MAYBE("string") ",\"error\":" MAYBE("string") "}}"},
	{"Hook",
	 "{\"type\":\"object\",\"required\":[\"name\",\"scheme\",\"url\","
	 "\"created_at\",\"last_delivery\"],\"properties\":{\"name\":" STRING
	 ",\"scheme\":" STRING ",\"url\":" STRING ",\"created_at\":" STRING
	 ",\"last_delivery\":{\"anyOf\":[{\"$ref\":"
	 "\"#/components/schemas/Delivery\"},{\"type\":\"null\"}]}}}"},
	{"Delivery",
	 "{\"type\":\"object\",\"required\":[\"id\",\"event\",\"outcome\","
	 "\"run_id\",\"error\",\"at\"],\"properties\":{\"id\":" STRING
	 ",\"event\":" MAYBE("string") ",\"outcome\":{\"type\":\"string\","
	 "\"enum\":[\"run\",\"filtered\",\"ping\",\"rejected\"]},\"run_id\":"
	 MAYBE("string") ",\"error\":" MAYBE("string") ",\"at\":" STRING "}}"},
	{"Called",
	 "{\"type\":\"object\",\"required\":[\"run_id\"],\"properties\":{"
	 "\"run_id\":" MAYBE("string") ",\"reason\":{\"type\":\"string\","
	 "\"enum\":[\"filtered\",\"ping\"]}}}"},
	{"Preview",
	 "{\"type\":\"object\",\"required\":[\"items\"],\"properties\":{"
	 "\"items\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
	 "\"required\":[\"at\",\"local\"],\"properties\":{\"at\":" STRING
	 ",\"local\":" STRING "}}}}}"},
	{"Plan",
	 "{\"type\":\"object\",\"required\":[\"definition_digest\",\"project\","
	 "\"job\",\"inputs\",\"tasks\",\"allowed\",\"last_run\",\"changes\"],"
	 "\"properties\":{\"project\":" STRING ",\"job\":" STRING
	 ",\"definition_digest\":{\"$ref\":\"#/components/schemas/Digest\"}"
	 ",\"allowed\":{\"type\":\"boolean\"},\"last_run\":" MAYBE("string")
	 ",\"tasks\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
	 "\"required\":[\"name\",\"needs\",\"profile\",\"network\",\"allowed\","
	 "\"reasons\"],\"properties\":{\"name\":" STRING ",\"needs\":{\"type\":"
	 "\"array\",\"items\":" STRING "},\"reasons\":{\"type\":\"array\","
	 "\"items\":" STRING "}}}}}}"},
	{"PolicyTest",
	 "{\"type\":\"object\",\"required\":[\"job\"],\"properties\":{"
	 "\"job\":{\"description\":\"a job, its text, or the name of one that "
	 "is stored\",\"type\":[\"object\",\"string\"]},\"syntax\":{\"enum\":["
	 "\"yaml\",\"json\",\"toml\"]},\"project\":" STRING ",\"inputs\":{"
	 "\"type\":\"object\"},\"principal\":{\"type\":\"object\","
	 "\"required\":[\"name\"],\"properties\":{\"name\":" STRING "},"
	 "\"additionalProperties\":false}},\"additionalProperties\":false}"},
	{"Verdict",
	 "{\"type\":\"object\",\"required\":[\"allowed\",\"project\",\"job\","
	 "\"definition_digest\",\"policy_digest\",\"principal\",\"tasks\"],"
	 "\"properties\":{\"allowed\":{\"type\":\"boolean\"},\"project\":"
	 STRING ",\"job\":" STRING ",\"definition_digest\":{\"$ref\":"
	 "\"#/components/schemas/Digest\"},\"policy_digest\":{\"$ref\":"
	 "\"#/components/schemas/Digest\"},\"principal\":{\"type\":\"object\","
	 "\"required\":[\"name\"],\"properties\":{\"name\":" STRING "}},"
	 "\"source\":{\"$ref\":\"#/components/schemas/TaskVerdict\"},"
	 "\"tasks\":{\"type\":\"array\",\"items\":{\"$ref\":"
	 "\"#/components/schemas/TaskVerdict\"}}}}"},
	{"TaskVerdict",
	 "{\"type\":\"object\",\"required\":[\"name\",\"allowed\","
	 "\"reasons\",\"limits\",\"clamped\"],\"properties\":{\"name\":" STRING
	 ",\"allowed\":{\"type\":\"boolean\"},\"reasons\":{\"type\":\"array\","
	 "\"items\":{\"type\":\"object\",\"required\":[\"text\",\"file\","
	 "\"line\"],\"properties\":{\"text\":" STRING ",\"file\":"
	 MAYBE("string") ",\"line\":" MAYBE("integer") ",\"would\":{"
	 "\"description\":\"what a rule that allows it says\",\"type\":"
	 "\"string\"}}}},\"limits\":{"
	 "\"type\":\"object\",\"additionalProperties\":" INTEGER "},"
	 "\"clamped\":{\"type\":\"array\",\"items\":" STRING "}}}"},
	{"Why",
	 "{\"type\":\"object\",\"required\":[\"id\",\"state\",\"waits\",\"tasks\"],"
	 "\"properties\":{\"id\":" STRING ",\"state\":{\"$ref\":"
	 "\"#/components/schemas/State\"},\"blocked\":" MAYBE("string")
	 ",\"waits\":{\"$ref\":\"#/components/schemas/Waits\"},\"tasks\":{"
	 "\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":["
	 "\"name\",\"state\",\"waits\"],\"properties\":{\"name\":" STRING
	 ",\"state\":" STRING ",\"waits\":{\"$ref\":"
	 "\"#/components/schemas/Waits\"}}}}}}"},
	{"Waits",
	 "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":["
	 "\"for\",\"text\"],\"properties\":{\"for\":" STRING ",\"text\":" STRING
	 ",\"runs\":{\"type\":\"array\",\"items\":" STRING "},\"task\":" STRING
	 ",\"from\":{\"type\":\"array\",\"items\":" STRING
	 "},\"expires_at\":" MAYBE("string") ",\"agent\":" STRING "}}}"},
	{"Cache",
	 "{\"type\":\"object\",\"required\":[\"id\",\"project\",\"key\","
	 "\"bytes\",\"run\",\"created_at\",\"used_at\"],\"properties\":{"
	 "\"id\":{\"type\":\"string\",\"pattern\":"
	 "\"^cache_[0-9A-HJKMNP-TV-Z]{26}$\"},\"project\":" STRING
	 ",\"key\":" STRING ",\"bytes\":" INTEGER ",\"run\":" STRING
	 ",\"created_at\":" STRING ",\"used_at\":" STRING "}}"},
	{"Lease",
	 "{\"type\":\"object\",\"required\":[\"id\",\"provider\",\"path\","
	 "\"project\",\"run\",\"state\",\"renewable\",\"on_end\","
	 "\"created_at\",\"expires_at\"],\"properties\":{"
	 "\"id\":{\"type\":\"string\",\"pattern\":"
	 "\"^lease_[0-9A-HJKMNP-TV-Z]{26}$\"},\"provider\":" STRING
	 ",\"path\":" STRING ",\"project\":" STRING ",\"run\":" STRING
	 ",\"state\":{\"type\":\"string\",\"enum\":[\"open\",\"last\","
	 "\"kept\",\"revoking\",\"stuck\",\"gone\"]},\"renewable\":{"
	 "\"type\":\"boolean\"},\"on_end\":{\"type\":\"string\",\"enum\":["
	 "\"revoke\",\"keep\"]},\"created_at\":" STRING
	 ",\"expires_at\":" STRING "}}"},
	{"Queue",
	 "{\"type\":\"object\",\"required\":[\"items\"],\"properties\":{"
	 "\"items\":{\"type\":\"array\",\"items\":{\"$ref\":"
	 "\"#/components/schemas/Run\"}}}}"},
	{"Restored", "{\"type\":\"object\",\"required\":[\"status\",\"maintenance\"],"
		     "\"properties\":{\"status\":" STRING
		     ",\"maintenance\":{\"type\":\"boolean\"}}}"},
	{"Maintenance",
	 "{\"type\":\"object\",\"required\":[\"on\"],\"properties\":{\"on\":{"
	 "\"type\":\"boolean\"},\"reason\":" STRING ",\"since\":" STRING
	 ",\"by\":" STRING "}}"},
	{"ProjectPut",
	 "{\"type\":\"object\",\"required\":[],\"properties\":{\"descripti"
	 "on\":{\"type\":\"string\",\"maxLength\":500},\"paused\":{\"type"
	 "\":\"boolean\"},\"max_running\":{\"type\":\"integer\",\"minimum"
	 "\":1,\"maximum\":100000},\"cache_max_bytes\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":1125899906842624}," RETENTION ",\"name\":{\"type\":\"string\",\"pattern"
	 "\":\"^[a-z][a-z0-9_-]{0,62}$\"},\"created_at\":{},\"changed_at\""
	 ":{},\"changed_by\":{}},\"additionalProperties\":false}"},
	{"UserPut",
	 "{\"type\":\"object\",\"required\":[],\"properties\":{\"full_name"
	 "\":{\"type\":\"string\",\"maxLength\":500},\"email\":{\"type\":"
	 "\"string\",\"maxLength\":500},\"uid\":{\"type\":\"integer\",\"mi"
	 "nimum\":0,\"maximum\":4294967294},\"disabled\":{\"type\":\"boole"
	 "an\"},\"certificates\":{\"type\":\"array\",\"maxItems\":1000,"
	 "\"items\":{\"type\":\"string\",\"pattern\":\"^(sha256:[0-9a-f]{64}"
	 "|(uri|email|dns|cn):.{1,256})$\"}},\"name\":{\"type\":\"string\",\"pattern\":\"^[a-z][a-z0-9_"
	 "-]{0,62}$\"},\"created_at\":{},\"changed_at\":{},\"changed_by\":"
	 "{}},\"additionalProperties\":false}"},
	{"GroupPut",
	 "{\"type\":\"object\",\"required\":[\"members\"],\"properties\":{"
	 "\"description\":{\"type\":\"string\",\"maxLength\":500},\"member"
	 "s\":{\"type\":\"array\",\"maxItems\":1000,\"items\":{\"type\":\""
	 "string\",\"pattern\":\"^[a-z][a-z0-9_-]{0,62}$\"}},\"name\":{\"t"
	 "ype\":\"string\",\"pattern\":\"^[a-z][a-z0-9_-]{0,62}$\"},\"crea"
	 "ted_at\":{},\"changed_at\":{},\"changed_by\":{}},\"additionalPro"
	 "perties\":false}"},
	{"RolePut",
	 "{\"type\":\"object\",\"required\":[\"role\",\"projects\",\"membe"
	 "rs\"],\"properties\":{\"role\":{\"type\":\"string\",\"enum\":[\""
	 "viewer\",\"operator\",\"developer\",\"admin\"]},\"projects\":{\""
	 "type\":\"array\",\"maxItems\":1000,\"items\":{\"type\":\"string"
	 "\"}},\"members\":{\"type\":\"array\",\"maxItems\":1000,\"items\""
	 ":{\"type\":\"string\",\"pattern\":\"^(user|group)/[a-z][a-z0-9_-"
	 "]{0,62}$\"}},\"name\":{\"type\":\"string\",\"pattern\":\"^[a-z]["
	 "a-z0-9_-]{0,62}$\"},\"created_at\":{},\"changed_at\":{},\"change"
	 "d_by\":{}},\"additionalProperties\":false}"},
	{"TokenAsk",
	 "{\"type\":\"object\",\"required\":[\"name\"],\"properties\":{\"n"
	 "ame\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":100},\""
	 "user\":{\"type\":\"string\",\"pattern\":\"^[a-z][a-z0-9_-]{0,62}"
	 "$\"},\"role\":{\"type\":\"string\",\"enum\":[\"viewer\",\"operat"
	 "or\",\"developer\",\"admin\"]},\"projects\":{\"type\":\"array\","
	 "\"minItems\":1,\"maxItems\":100,\"items\":{\"type\":\"string\","
	 "\"pattern\":\"^[a-z][a-z0-9_-]{0,62}$\"}},\"ttl\":{\"type\":\"st"
	 "ring\",\"pattern\":\"^[1-9][0-9]{0,3}[smhd]$\"}},\"additionalPro"
	 "perties\":false}"},
	{"MaintenancePut",
	 "{\"type\":\"object\",\"required\":[\"on\"],\"properties\":{\"on"
	 "\":{\"type\":\"boolean\"},\"reason\":{\"type\":\"string\",\"maxL"
	 "ength\":500}}}"},
	{"Order",
	 "{\"type\":\"object\",\"required\":[],\"properties\":{\"inputs\":"
	 "{\"type\":\"object\"},\"labels\":{\"type\":\"object\",\"addition"
	 "alProperties\":{\"type\":\"string\"}},\"priority\":{\"type\":\"int"
	 "eger\",\"minimum\":0,\"maximum\":100}},\"addi"
	 "tionalProperties\":false}"},
	{"Again",
	 "{\"type\":\"object\",\"required\":[],\"properties\":{\"from\":{"
	 "\"type\":\"string\",\"enum\":[\"start\",\"failed\",\"task\"]},\""
	 "task\":{\"type\":\"string\"}},\"additionalProperties\":false}"},
	{"Approval",
	 "{\"type\":\"object\",\"required\":[\"run_id\",\"task\",\"state\","
	 "\"digest\",\"run_digest\",\"message\",\"from\",\"count\",\"shown\","
	 "\"decisions\",\"approved\",\"may_decide\",\"asked_at\","
	 "\"expires_at\"],\"properties\":{\"run_id\":" STRING
	 ",\"project\":" STRING ",\"job\":" STRING ",\"task\":" STRING
	 ",\"state\":{\"type\":\"string\",\"enum\":[\"open\",\"granted\","
	 "\"auto\",\"rejected\",\"expired\",\"cancelled\"]},\"digest\":{"
	 "\"$ref\":\"#/components/schemas/Digest\"},\"run_digest\":{"
	 "\"$ref\":\"#/components/schemas/Digest\"},\"message\":" STRING
	 ",\"submitter\":" STRING ",\"from\":{\"type\":\"array\",\"items\":"
	 STRING "},\"not\":" STRING ",\"count\":" INTEGER
	 ",\"shown\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
	 "\"required\":[\"name\",\"file\",\"size\",\"sha256\"]}},"
	 "\"decisions\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
	 "\"required\":[\"decision\",\"who\",\"comment\",\"at\"]}},"
	 "\"approved\":" INTEGER ",\"may_decide\":{\"type\":\"boolean\"},"
	 "\"asked_at\":" STRING ",\"expires_at\":" MAYBE("string") "}}"},
	{"Decision",
	 "{\"type\":\"object\",\"required\":[\"decision\",\"digest\"],"
	 "\"properties\":{\"decision\":{\"type\":\"string\",\"enum\":["
	 "\"approve\",\"reject\"]},\"digest\":{\"$ref\":"
	 "\"#/components/schemas/Digest\"},\"comment\":{\"type\":\"string\","
	 "\"maxLength\":1024}},\"additionalProperties\":false}"},
	{"Artifact",
	 "{\"type\":\"object\",\"required\":[\"name\",\"file\",\"size\","
	 "\"sha256\"],\"properties\":{\"name\":" STRING ",\"file\":" STRING
	 ",\"size\":" INTEGER ",\"sha256\":" STRING "}}"},
	{"Problem",
	 "{\"type\":\"object\",\"required\":[\"status\",\"code\","
	 "\"request_id\"],\"properties\":{\"type\":" STRING ",\"title\":" STRING
	 ",\"status\":" INTEGER ",\"code\":{\"$ref\":"
	 "\"#/components/schemas/Code\"},\"detail\":" STRING
	 ",\"request_id\":" STRING
	 ",\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
	 "\"properties\":{\"code\":" STRING ",\"pointer\":" STRING
	 ",\"line\":" INTEGER ",\"column\":" INTEGER ",\"message\":" STRING
	 ",\"hint\":" STRING "}}}}}"},
};

static const char *const pages[] = {"Run",   "Task",     "Artifact", "Secret",
				    "Job",   "Revision", "Project",  "User",
				    "Group", "Role",     "Token", "Schedule",
				    "Approval", "Hook", "Delivery", "Event", "Cache", "Lease",
				    "SecretVersion", "SecretProvider", "Slot"};
/* clang-format on */

void openapi_schemas(struct buf *b)
{
	buf_puts(b, "\"schemas\":{");
	for (size_t i = 0; i < ARRAY_LEN(schemas); i++)
		buf_printf(b, "%s\"%s\":%s", i ? "," : "", schemas[i].name,
			   schemas[i].json);
	for (size_t i = 0; i < n_secret_schemas; i++)
		buf_printf(b, ",\"%s\":%s", secret_schemas[i].name,
			   secret_schemas[i].json);
	buf_puts(b, ",\"Code\":{\"type\":\"string\",\"description\":\"what "
		    "went wrong, for programs\",\"enum\":");
	codes_json(b);
	buf_putc(b, '}');
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		buf_printf(b,
			   ",\"%sPage\":{\"type\":\"object\",\"required\":"
			   "[\"items\",\"next_cursor\"],\"properties\":{"
			   "\"items\":{\"type\":\"array\",\"items\":{\"$ref\":"
			   "\"#/components/schemas/%s\"}},\"next_cursor\":%s}}",
			   pages[i], pages[i], MAYBE("string"));
	buf_puts(b, "}");
}
