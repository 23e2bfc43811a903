// SPDX-License-Identifier: AGPL-3.0-or-later
/*
 * TOML by toml++, behind one C function: its keys and values carry line and
 * column.  toml_scan() bounds nesting and count before it parses; no exception
 * leaves this file.  Numbers and times keep their source text, as far as JSON's
 * grammar of numbers has it.
 */
extern "C" {
#include "doc/parse.h"
#include "doc/toml_scan.h"
#include "doc/tree.h"
#include "doc/write.h"
}

#include "doc/toml_plus.hh"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace
{
struct doc_place place(const toml::source_position &p)
{
	return {static_cast<uint32_t>(p.line), static_cast<uint32_t>(p.column)};
}

struct str view(std::string_view s)
{
	return str_n(s.data(), s.size());
}

/* Finds the bytes of a place, in a bounded number of steps wherever it is. */
class source
{
      public:
	explicit source(std::string_view text) : text_(text), lines_{0}
	{
		size_t n = 0; /* characters */

		for (size_t i = 0; i < text.size(); i++) {
			auto c = static_cast<unsigned char>(text[i]);

			if ((c & 0xc0) == 0x80)
				continue;
			if (n % every == 0)
				marks_.push_back(i);
			n++;
			if (c == '\n')
				lines_.push_back(n);
		}
		n_ = n;
	}

	std::string_view between(const toml::source_region &r) const
	{
		size_t from = offset(r.begin), to = offset(r.end);

		return from < to ? text_.substr(from, to - from) :
				   std::string_view();
	}

      private:
	size_t offset(const toml::source_position &p) const
	{
		size_t n, i;

		if (p.line < 1 || p.column < 1 || p.line > lines_.size())
			return text_.size();
		n = lines_[p.line - 1] + p.column - 1;
		if (n >= n_)
			return text_.size();
		i = marks_[n / every];
		for (n %= every; n; n--)
			do
				i++;
			while ((static_cast<unsigned char>(text_[i]) & 0xc0) ==
			       0x80);
		return i;
	}

	static constexpr size_t every = 64;
	std::string_view text_;
	std::vector<size_t> lines_; /* the character that starts each */
	std::vector<size_t> marks_; /* the offset of every 64th character */
	size_t n_;
};

/* Where a value goes. */
struct spot {
	struct doc_node *parent;
	const struct str *key;
	struct doc_place key_at;
};

struct walker {
	struct tree t;
	source src;

	int value(const spot &to, const toml::node &n, unsigned depth);
	int table(const spot &to, const toml::table &table, unsigned depth);
	int array(const spot &to, const toml::array &array, unsigned depth);
	int string(const spot &to, const toml::value<std::string> &s);
	int number(const spot &to, const toml::node &n);

	struct doc_node *add(const spot &to, enum doc_kind kind,
			     struct str text, const toml::node &n)
	{
		return tree_add(&t, to.parent, kind, text,
				place(n.source().begin), to.key, to.key_at);
	}

	int refuse(const toml::node &n, const char *code, const char *what)
	{
		problem_add(t.ps, place(n.source().begin), code, nullptr, "%s",
			    what);
		return -1;
	}
};

/* toml++ sorts a table by its keys: put them back in the order of the file. */
int walker::table(const spot &to, const toml::table &table, unsigned depth)
{
	std::vector<std::pair<const toml::key *, const toml::node *>> entries;
	struct doc_node *map = add(to, DOC_MAP, STR(""), table);

	if (!map)
		return -1;
	for (auto &&[k, v] : table)
		entries.emplace_back(&k, &v);
	std::stable_sort(entries.begin(), entries.end(),
			 [](const auto &a, const auto &b) {
				 return a.first->source().begin <
					b.first->source().begin;
			 });
	for (const auto &[k, v] : entries) {
		struct str key = view(k->str());

		if (str_has(key, '\0'))
			return refuse(*v, "nul", "a NUL (\\u0000) in a key");
		if (value({map, &key, place(k->source().begin)}, *v, depth + 1))
			return -1;
	}
	return 0;
}

int walker::array(const spot &to, const toml::array &array, unsigned depth)
{
	struct doc_node *list = add(to, DOC_LIST, STR(""), array);

	if (!list)
		return -1;
	for (const auto &item : array)
		if (value(
			    {
				    list, nullptr, {0, 0}
                },
			    item, depth + 1))
			return -1;
	return 0;
}

int walker::string(const spot &to, const toml::value<std::string> &s)
{
	struct str text = view(s.get());

	if (str_has(text, '\0'))
		return refuse(s, "nul", "a NUL (\\u0000)");
	return add(to, DOC_STRING, text, s) ? 0 : -1;
}

/* Numbers without + and _, and in decimal, which all three syntaxes have. */
int walker::number(const spot &to, const toml::node &n)
{
	std::string text;
	const auto *i = n.as_integer();

	for (char c : src.between(n.source()))
		if (c != '_' && !(c == '+' && text.empty()))
			text.push_back(c);
	text.erase(text.find_last_not_of(" \t\r\n") + 1);
	if (i && text.find_first_of("xob") != std::string::npos)
		text = std::to_string(i->get());
	if (!i && (doc_number_kind(view(text)) != DOC_FLOAT ||
		   !doc_toml_float(view(text))))
		return refuse(n, "toml-number",
			      "inf, nan, and a number that is too long or too "
			      "small are no numbers of a job");
	return add(to, i ? DOC_INT : DOC_FLOAT, view(text), n) ? 0 : -1;
}

int walker::value(const spot &to, const toml::node &n, unsigned depth)
{
	bool nests = n.is_table() || n.is_array();
	struct str text;

	if (nests && depth > DOC_DEPTH_MAX)
		return tree_too_deep(&t, place(n.source().begin));
	if (n.is_table())
		return table(to, *n.as_table(), depth);
	if (n.is_array())
		return array(to, *n.as_array(), depth);
	if (n.is_string())
		return string(to, *n.as_string());
	if (n.is_number())
		return number(to, n);
	if (const auto *b = n.as_boolean()) {
		text = b->get() ? STR("true") : STR("false");
		return add(to, DOC_BOOL, text, n) ? 0 : -1;
	}
	text = str_trim(view(src.between(n.source())));
	return add(to, DOC_TIME, text, n) ? 0 : -1;
}

int parse(std::string_view text, struct doc *d, struct problems *ps)
{
	toml::parse_result result = toml::parse(text);
	int bad;

	if (!result) {
		const toml::parse_error &e = result.error();
		std::string what(e.description());

		problem_add(ps, place(e.source().begin), "toml-syntax", nullptr,
			    "%s", what.c_str());
		return -1;
	}

	walker w = {{}, source(text)};

	w.t.doc = d;
	w.t.ps = ps;
	bad = w.value(
		{
			nullptr, nullptr, {0, 0}
        },
		result.table(), 1);
	tree_done(&w.t);
	return bad;
}
} // namespace

extern "C" int doc_parse_toml(struct str text, struct doc *d,
			      struct problems *ps)
try {
	if (toml_scan(text, ps))
		return -1;
	return parse(std::string_view(text.p ? text.p : "", text.len), d, ps);
} catch (...) {
	problem_add(ps, {1, 1}, "toml-syntax", nullptr, "not TOML");
	return -1;
}
