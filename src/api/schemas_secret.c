/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The shapes of what is said about secrets; see schemas.h. */
#include "api/schema_table.h"

/* clang-format off */
const struct schema secret_schemas[] = {
	{"SecretVersion",
	 "{\"type\":\"object\",\"required\":[\"version\"],\"properties\":{"
	 "\"version\":" INTEGER ",\"created_at\":" STRING
	 ",\"state\":{\"enum\":[\"kept\",\"deleted\"]}}}"},
	{"ExportWanted",
	 "{\"type\":\"object\",\"required\":[\"recipient\"],"
	 "\"additionalProperties\":false,\"properties\":{\"recipient\":" STRING
	 "}}"},
	{"Imported",
	 "{\"type\":\"object\",\"required\":[\"stored\"],\"properties\":{"
	 "\"stored\":" INTEGER "}}"},
	{"Recipient",
	 "{\"type\":\"object\",\"required\":[\"recipient\"],\"properties\":{"
	 "\"recipient\":" STRING "}}"},
	{"SecretMetadata",
	 "{\"type\":\"object\",\"additionalProperties\":false,"
	 "\"properties\":{\"description\":" STRING ",\"max_versions\":" INTEGER
	 "}}"},
	{"SealStatus",
	 "{\"type\":\"object\",\"required\":[\"sealed\"],\"properties\":{"
	 "\"sealed\":" BOOLEAN ",\"reason\":" STRING ",\"text\":" STRING
	 ",\"term\":" INTEGER ",\"epoch\":" INTEGER ",\"secrets\":" INTEGER
	 ",\"to_rewrap\":" INTEGER ",\"old_root_key\":" BOOLEAN
	 ",\"memory_locked\":" BOOLEAN "}}"},
	{"Unseal",
	 "{\"type\":\"object\",\"additionalProperties\":false,"
	 "\"properties\":{\"passphrase\":" STRING ",\"accept_rollback\":" STRING
	 "}}"},
	{"Slot",
	 "{\"type\":\"object\",\"required\":[\"slot\"],\"properties\":{"
	 "\"slot\":" INTEGER ",\"kind\":" STRING ",\"created_at\":" STRING
	 ",\"scrypt\":" INTEGER ",\"provider\":" STRING
	 ",\"key\":" STRING "}}"},
	{"SlotWanted",
	 "{\"type\":\"object\",\"required\":[\"kind\"],"
	 "\"additionalProperties\":false,\"properties\":{\"kind\":{\"enum\":["
	 "\"keyfile\",\"passphrase\",\"credential\",\"transit\"]},"
	 "\"passphrase\":" STRING ",\"scrypt\":" INTEGER
	 ",\"provider\":" STRING ",\"key\":" STRING "}}"},
	{"Term",
	 "{\"type\":\"object\",\"required\":[\"term\"],\"properties\":{"
	 "\"term\":" INTEGER "}}"},
	{"Rekey",
	 "{\"type\":\"object\",\"additionalProperties\":false,"
	 "\"properties\":{\"passphrases\":{\"type\":\"array\",\"items\":" STRING
	 "}}}"},
	{"Secret",
	 "{\"type\":\"object\",\"required\":[\"name\",\"version\","
	 "\"versions\",\"created_at\",\"updated_at\"],\"properties\":{"
	 "\"name\":" STRING ",\"version\":" INTEGER ",\"versions\":" INTEGER
	 ",\"created_at\":" STRING ",\"updated_at\":" STRING
	 ",\"deleted\":" BOOLEAN ",\"max_versions\":" INTEGER
	 ",\"description\":" STRING "}}"},
	{"SecretProvider",
	 "{\"type\":\"object\",\"required\":[\"name\",\"kind\","
	 "\"state\"],\"properties\":{\"name\":" STRING ",\"kind\":{\"type\":"
	 "\"string\",\"enum\":[\"vault\",\"exec\"]},"
	 "\"state\":{"
	 "\"type\":\"string\",\"enum\":[\"up\",\"down\",\"sealed\"]},"
	 "\"text\":" MAYBE("string") ",\"address\":" STRING
	 ",\"namespace\":" STRING ",\"auth\":" STRING
	 ",\"auth_mount\":" STRING ",\"login\":" STRING "}}"},
	{"SecretProviderCheck",
	 "{\"type\":\"object\",\"required\":[\"name\",\"ok\",\"steps\"],"
	 "\"properties\":{\"name\":" STRING ",\"ok\":{\"type\":\"boolean\"},"
	 "\"steps\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
	 "\"required\":[\"step\",\"verdict\",\"text\"],\"properties\":{"
	 "\"step\":" STRING ",\"verdict\":{\"type\":\"string\",\"enum\":["
	 "\"ok\",\"failed\",\"skipped\"]},\"text\":" STRING ",\"hint\":" STRING
	 "}}}}}"},
};
/* clang-format on */
const size_t n_secret_schemas = ARRAY_LEN(secret_schemas);
