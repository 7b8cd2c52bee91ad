// Every way in which a file can be wrong: refused at its line and column, in words that say what to
// write instead (ATTACKS A02, A04, J04, J05, J10).
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/config.h"

namespace {

using namespace std::string_literals;

const egret::ConfigPlaces places{"/home/me", "", ""};

struct BadFile {
  const char* name;
  std::string yaml;
  const char* place;  // `line:column` of the first error
  const char* says;   // in its text
};

std::string in_rules(const std::string& rule) {
  return "version: 1\nsandboxes:\n  web:\n    rules:\n      - " + rule + "\n";
}

std::string in_secret(const std::string& lines) {
  return "version: 1\nsecrets:\n  TOKEN:\n" + lines;
}

std::string via(const std::string& url) {
  return "version: 1\norigins: {via: " + url + "}\n";
}

std::string client_cert(const std::string& entry) {
  return "version: 1\norigins: {client_certs: [{" + entry + "}]}\n";
}

const BadFile yaml_shapes[] = {
    {"empty file", "", "1:1", "begin it with `version: 1`"},
    {"only a comment", "# nothing\n", "1:1", "holds no configuration"},
    {"a null document", "---\n", "1:1", "holds no configuration"},
    {"a list at the top", "- version: 1\n", "1:1", "a mapping is needed"},
    {"a scalar at the top", "version\n", "1:1", "a mapping is needed"},
    {"no version", "workers: 2\n", "1:1", "`version` is missing"},
    {"a later version", "version: 2\n", "1:10", "`version: 1`"},
    {"version in quotes", "version: \"1\"\n", "1:10", "without quotes"},
    {"version 1.0", "version: 1.0\n", "1:10", "`version: 1`"},
    {"unknown key", "version: 1\nsecretz: {}\n", "2:1", "write `secrets`"},
    {"unknown key far from any", "version: 1\nfirewall: {}\n", "2:1", "known: `version`"},
    {"repeated key", "version: 1\nworkers: 1\nworkers: 2\n", "3:1", "first is in line 2"},
    {"repeated key in a rule", in_rules("{allow: a.example, allow: b.example}"), "5:28",
     "second time"},
    {"null section", "version: 1\nsandboxes:\n", "2:1", "`sandboxes` has no value"},
    {"null by tilde", "version: 1\nsandboxes: ~\n", "2:1", "has no value"},
    {"null list item", "version: 1\norigins:\n  ca_files:\n    -\n    # next\n    - a.pem\n", "4:5",
     "has no value"},
    {"second document", "version: 1\n---\nversion: 1\n", "2:1", "second document"},
    {"a stray comma, which hung", ",\n{listen:\n", "1:1", "second document"},
    {"anchor", "version: 1\nstate: &x /tmp\n", "2:8", "anchor `&x`"},
    {"alias", "version: 1\nstate: &x /a\naudit: {file: *x}\n", "2:8", "anchor"},
    {"merge key", "version: 1\n<<: {workers: 1}\n", "2:1", "merge key"},
    {"tag", "version: 1\nstate: !!str /tmp\n", "2:8", "a tag"},
    {"own tag on a list", "version: 1\nlisten: !mine []\n", "2:9", "a tag"},
    {"NUL in quotes", "version: 1\nstate: \"/a\\0b\"\n", "2:8", "control character"},
    {"NUL byte", "version: 1\nstate: /a\0b\n"s, "2:10", "U+0000"},
    {"escape byte", "version: 1\n# \x1b[31m\n", "2:3", "U+001B"},
    {"right-to-left override", "version: 1\n# \xe2\x80\xae\n", "2:3", "U+202E"},
    {"zero-width space", "version: 1\nstate: /a\xe2\x80\x8b\n", "2:10", "U+200B"},
    {"not UTF-8", "version: 1\nstate: /\xff\n", "2:9", "UTF-8"},
    {"overlong UTF-8", "version: 1\n# \xc0\xaf\n", "2:3", "UTF-8"},
    {"UTF-16", "\xff\xfev\0e\0"s, "1:1", "UTF-8"},
    {"lone carriage return", "version: 1\rworkers: 2\n", "1:11", "carriage return"},
    {"tab in the indentation", "version: 1\naudit:\n\tfile: a\n", "3:1", "indent with spaces"},
    {"open bracket", "version: 1\nlisten: [\n", "3:1", "not YAML"},
    {"open quote", "version: 1\nstate: \"/a\nworkers: 2\n", "2:8", "not closed on its line"},
    {"two values on a line", "version: 1\nstate: a: b\n", "2:9", "not YAML"},
    {"nine levels", "version: 1\nlisten: [[[[[[[[1]]]]]]]]\n", "2:10", "a list"},
    {"a key that is a list", "version: 1\n? [a]\n: b\n", "2:3", "a key that is a list"},
    {"block text", "version: 1\nstate: |\n  /a\n  /b\n", "2:8", "one line"},
    {"empty text", "version: 1\nstate: \"\"\n", "2:8", "empty text"},
    {"workers as text", "version: 1\nworkers: \"2\"\n", "2:10", "without quotes"},
    {"workers none", "version: 1\nworkers: 0\n", "2:10", "from 1 to 256"},
    {"workers in octal", "version: 1\nworkers: 010\n", "2:10", "from 1 to 256"},
    {"somebody else's home", "version: 1\nstate: ~root/egret\n", "2:8", "leads nowhere"},
    {"audit as text", "version: 1\naudit: a.jsonl\n", "2:8", "`audit: {file: audit.jsonl}`"},
    {"audit without a file", "version: 1\naudit: {}\n", "2:8", "`file` is missing"},
};

const BadFile rules[] = {
    {"rules null", "version: 1\nsandboxes:\n  web:\n    rules:\n", "4:5", "`rules` has no value"},
    {"rules as text", "version: 1\nsandboxes:\n  web:\n    rules: a.example\n", "4:12", "a list"},
    {"rule as text", in_rules("api.github.com"), "5:9", "- allow: api.github.com"},
    {"rule without a host", in_rules("methods: [GET]"), "5:9", "neither `allow` nor `deny`"},
    {"allow and deny", in_rules("{allow: a.example, deny: b.example}"), "5:9", "both"},
    {"allow null", in_rules("allow:"), "5:9", "`allow` has no value"},
    {"allow misspelt", in_rules("alow: a.example"), "5:9", "write `allow`"},
    {"allow an empty list", in_rules("allow: []"), "5:16", "one rule for each host"},
    {"allow a list", in_rules("allow: [a.example]"), "5:16", "one rule for each host"},
    {"wildcard without quotes", in_rules("allow: *.npmjs.org"), "5:16", "\"*.npmjs.org\""},
    {"star without quotes", in_rules("allow: *"), "5:16", "in quotes"},
    {"wildcard in a flow", in_rules("{allow: *.npmjs.org, ports: [443]}"), "5:17",
     "\"*.npmjs.org\""},
    {"URL", in_rules("allow: https://example.com"), "5:16", "example.com"},
    {"host with path", in_rules("allow: example.com/path"), "5:16", "paths"},
    {"upper case", in_rules("allow: EXAMPLE.com"), "5:16", "example.com"},
    {"host with port", in_rules("allow: example.com:8443"), "5:16", "ports"},
    {"leading space", in_rules("allow: \" example.com\""), "5:16", "example.com"},
    {"trailing dot", in_rules("allow: example.com."), "5:16", "example.com"},
    {"star dot", in_rules("allow: \"*.\""), "5:16", ""},
    {"star inside a label", in_rules("allow: \"api*.example.com\""), "5:16", ""},
    {"two stars", in_rules("allow: \"*.*.com\""), "5:16", ""},
    {"leading dot", in_rules("allow: .example.com"), "5:16", "*.example.com"},
    {"legacy address", in_rules("allow: 0x7f.1"), "5:16", ""},
    {"everything", in_rules("allow: \"*\""), "5:16", "dangerous_allow_wildcard"},
    {"a top-level domain", in_rules("allow: \"*.com\""), "5:16", "dangerous_allow_wildcard"},
    {"a public suffix", in_rules("allow: \"*.github.io\""), "5:16", "dangerous_allow_wildcard"},
    {"a suffix only the list knows", in_rules("allow: \"*.k12.ma.us\""), "5:16", "strangers"},
    {"above a public suffix", in_rules("allow: \"*.amazonaws.com\""), "5:16", "dangerous_allow"},
    {"above one only the list knows", in_rules("allow: \"*.yandexcloud.net\""), "5:16",
     "strangers"},
    {"every address", in_rules("allow: 0.0.0.0/0"), "5:16", "wide"},
    {"danger without need", in_rules("{allow: a.example, dangerous_allow_wildcard: true}"), "5:54",
     "remove it"},
    {"danger as text", in_rules("{allow: \"*\", dangerous_allow_wildcard: \"yes\"}"), "5:48",
     "`true` or `false`"},
    {"tunnel with paths", in_rules("{allow: a.example, tunnel: true, paths: [/a]}"), "5:49",
     "tunnel"},
    {"tunnel with methods", in_rules("{allow: a.example, tunnel: true, methods: [GET]}"), "5:51",
     "look into a tunnel"},
    {"tunnel that denies", in_rules("{deny: a.example, tunnel: true}"), "5:35", "denies"},
    {"tunnel yes", in_rules("{allow: a.example, tunnel: yes}"), "5:36", "`true` or `false`"},
    {"no ports", in_rules("{allow: a.example, ports: []}"), "5:35", "empty list"},
    {"port zero", in_rules("{allow: a.example, ports: [0]}"), "5:36", "from 1 to 65535"},
    {"port too high", in_rules("{allow: a.example, ports: [65536]}"), "5:36", "from 1 to 65535"},
    {"port range", in_rules("{allow: a.example, ports: [80-90]}"), "5:36", "digits only"},
    {"port alone", in_rules("{allow: a.example, ports: 443}"), "5:35", "`ports: [443]`"},
    {"port twice", in_rules("{allow: a.example, ports: [443, 443]}"), "5:41", "twice"},
    {"no methods", in_rules("{allow: a.example, methods: []}"), "5:37", "empty list"},
    {"method in lower case", in_rules("{allow: a.example, methods: [get]}"), "5:38", "write `GET`"},
    {"method CONNECT", in_rules("{allow: a.example, methods: [CONNECT]}"), "5:38", "tunnel: true"},
    {"method TRACE", in_rules("{allow: a.example, methods: [TRACE]}"), "5:38", "never permitted"},
    {"no paths", in_rules("{allow: a.example, paths: []}"), "5:35", "empty list"},
    {"path without a slash", in_rules("{allow: a.example, paths: [repos]}"), "5:36", "/repos"},
    {"path with a query", in_rules("{allow: a.example, paths: [\"/a?b=c\"]}"), "5:36", ""},
};

const BadFile secrets[] = {
    {"secret null", "version: 1\nsecrets:\n  TOKEN:\n", "3:3", "a mapping is needed"},
    {"no source", in_secret("    hosts: [a.example]\n"), "4:5", "`from` is missing"},
    {"no hosts", in_secret("    from: env:TOKEN\n"), "4:5", "`hosts` is missing"},
    {"hosts empty", in_secret("    from: env:A\n    hosts: []\n"), "5:12", "empty list"},
    {"hosts as text", in_secret("    from: env:A\n    hosts: a.example\n"), "5:12", "a list"},
    {"the value itself", in_secret("    from: ghp_realvalue\n    hosts: [a.example]\n"), "4:11",
     "never stands in the file"},
    {"env with dollar", in_secret("    from: env:$A\n    hosts: [a.example]\n"), "4:11",
     "without `$`"},
    {"env empty", in_secret("    from: \"env:\"\n    hosts: [a.example]\n"), "4:11", "env:NAME"},
    {"file empty", in_secret("    from: \"file:\"\n    hosts: [a.example]\n"), "4:11",
     "path is missing"},
    {"credential empty", in_secret("    from: \"credential:\"\n    hosts: [a.example]\n"), "4:11",
     "LoadCredential=github-token"},
    {"credential as a path", in_secret("    from: credential:../x\n    hosts: [a.example]\n"),
     "4:11", "without the name"},
    {"credential that is a folder", in_secret("    from: credential:..\n    hosts: [a.example]\n"),
     "4:11", "without the name"},
    {"exec with quotes", in_secret("    from: exec:/bin/sh -c 'cat x'\n    hosts: [a.example]\n"),
     "4:11", "no shell"},
    {"exec without a path", in_secret("    from: exec:gh auth token\n    hosts: [a.example]\n"),
     "4:11", "exec:/usr/bin/gh auth token"},
    {"exec empty", in_secret("    from: \"exec:\"\n    hosts: [a.example]\n"), "4:11", "full path"},
    {"secret for everybody", in_secret("    from: env:A\n    hosts: [\"*\"]\n"), "5:13",
     "never given"},
    {"secret at a suffix", in_secret("    from: env:A\n    hosts: [\"*.github.io\"]\n"), "5:13",
     "a secret is never given"},
    {"secret above a suffix", in_secret("    from: env:A\n    hosts: [\"*.amazonaws.com\"]\n"),
     "5:13", "a secret is never given"},
    {"secret for a range", in_secret("    from: env:A\n    hosts: [10.0.0.0/8]\n"), "5:13",
     "range"},
    {"danger at a secret",
     in_secret("    from: env:A\n    hosts: [a.example]\n    dangerous_allow_wildcard: true\n"),
     "6:5", "unknown key"},
    {"in empty", in_secret("    from: env:A\n    hosts: [a.example]\n    in: []\n"), "6:9",
     "empty list"},
    {"in as text", in_secret("    from: env:A\n    hosts: [a.example]\n    in: header\n"), "6:9",
     "[header]"},
    {"in unknown", in_secret("    from: env:A\n    hosts: [a.example]\n    in: [everywhere]\n"),
     "6:10", "header"},
    {"foreign unknown",
     in_secret("    from: env:A\n    hosts: [a.example]\n    foreign: allowed\n"), "6:14",
     "write `allow`"},
    {"no variable", "version: 1\nsecrets:\n  my-token: {from: env:A, hosts: [a.example]}\n", "3:3",
     "environment variable"},
    {"secret in a tunnel",
     in_secret("    from: env:A\n    hosts: [\"*.a.example\"]\n") +
         "sandboxes:\n  web:\n    rules: [{allow: x.a.example, tunnel: true}]\n    secrets: "
         "[TOKEN]\n",
     "9:15", "egret.yaml:8 relays as a tunnel"},
};

const BadFile sections[] = {
    {"unknown profile", "version: 1\nsandboxes:\n  web: {profiles: [githubread]}\n", "3:20",
     "write `github-read`"},
    {"profiles as text", "version: 1\nsandboxes:\n  web: {profiles: npm}\n", "3:19", "a list"},
    {"profile twice", "version: 1\nsandboxes:\n  web: {profiles: [npm, npm]}\n", "3:25", "twice"},
    {"unknown secret", "version: 1\nsandboxes:\n  web: {secrets: [MY_TOKEN]}\n", "3:19",
     "unknown secret"},
    {"sandbox null", "version: 1\nsandboxes:\n  web:\n", "3:3", "a mapping is needed"},
    {"sandbox name", "version: 1\nsandboxes:\n  Web_1: {}\n", "3:3", "lower-case"},
    {"shipped name again", "version: 1\nprofiles:\n  npm: {rules: []}\n", "3:3", "include: [npm]"},
    {"profile empty", "version: 1\nprofiles:\n  mine: {}\n", "3:9", "`rules: []`"},
    {"include unknown", "version: 1\nprofiles:\n  mine: {include: [nmp]}\n", "3:20",
     "unknown profile"},
    {"include itself", "version: 1\nprofiles:\n  mine: {include: [mine]}\n", "3:20",
     "includes itself"},
    {"include in a circle", "version: 1\nprofiles:\n  a: {include: [b]}\n  b: {include: [a]}\n",
     "4:17", "includes itself through `b`"},
    {"listen on a name", "version: 1\nlisten: [{address: localhost:3128}]\n", "2:20",
     "127.0.0.1:3128"},
    {"listen without a port", "version: 1\nlisten: [{address: 127.0.0.1}]\n", "2:20",
     "127.0.0.1:3128"},
    {"listen nowhere", "version: 1\nlisten: [{sandbox: default}]\n", "2:10", "one of `address`"},
    {"listen twice", "version: 1\nlisten: [{address: 127.0.0.1:1}, {address: 127.0.0.1:1}]\n",
     "2:34", "taken by another"},
    {"redirect in both families",
     "version: 1\nlisten: [{redirect: 127.0.0.1:1, sandbox: default}, {redirect: \"[::1]:1\", "
     "sandbox: default}]\n",
     "2:53", "taken by another"},
    {"listen for nobody", "version: 1\nlisten: [{address: 127.0.0.1:1, sandbox: web}]\n", "2:42",
     "unknown sandbox `web`"},
    {"redirect without a sandbox", "version: 1\nlisten: [{redirect: 127.0.0.1:1}]\n", "2:21",
     "sandbox: NAME"},
    {"pin to a name", "version: 1\norigins: {resolve: {a.test: b.test}}\n", "2:29",
     "is no address"},
    {"pin of everything", "version: 1\norigins: {resolve: {\"*\": 127.0.0.1}}\n", "2:21",
     "not a name"},
    {"pin to metadata", "version: 1\norigins: {resolve: {a.test: 169.254.169.254}}\n", "2:29",
     "metadata"},
    {"resolve as a list", "version: 1\norigins: {resolve: [a.test]}\n", "2:20",
     "a mapping is needed"},
    {"range without bits", "version: 1\norigins: {allow_addresses: [10.1/16]}\n", "2:29",
     "10.1.0.0/16"},
    {"range of everything", "version: 1\norigins: {allow_addresses: [0.0.0.0/0]}\n", "2:29",
     "nearly every"},
    {"via by TLS", via("https://corp:3128"), "2:16", "goes through an http:// proxy unread"},
    {"via by SOCKS", via("socks5://me:pw-to-hide@corp:1080"), "2:16", "of the kind `socks5://`"},
    {"via without a scheme", via("corp:3128"), "2:16", "does not begin with `http://`"},
    {"via with a password and no scheme", via("me:pw-to-hide@corp:3128"), "2:16",
     "does not begin with `http://`"},
    {"via without a port", via("http://corp"), "2:16", "names no port"},
    {"via with user and without a port", via("http://me:pw-to-hide@corp/"), "2:16",
     "names no port"},
    {"via with an empty port", via("\"http://corp:\""), "2:16", "is no port"},
    {"via with port 0", via("http://corp:0"), "2:16", "is no port"},
    {"via with port 65536", via("http://corp:65536"), "2:16", "is no port"},
    {"via without a host", via("http://:3128"), "2:16", "no host name in lower case"},
    {"via in capitals", via("http://Corp:3128"), "2:16", "no host name in lower case"},
    {"via with a dot at the end", via("http://corp.:3128"), "2:16", "no host name in lower case"},
    {"via to an odd number", via("http://0x7f.1:3128"), "2:16", "no host name in lower case"},
    {"via to metadata", via("http://169.254.169.254:80"), "2:16", "cloud metadata"},
    {"via with a path", via("http://corp:3128/pac"), "2:16", "behind its port"},
    {"via with a slash in its password", via("http://me:pw/to-hide@corp:3128"), "2:16", "`%2F`"},
    {"via with a user alone", via("http://me@corp:3128"), "2:16", "user without a password"},
    {"via with a password alone", via("http://:pw-to-hide@corp:3128"), "2:16",
     "password without a user"},
    {"via with a stray percent", via("http://me:pw-to-hide%zz@corp:3128"), "2:16", "`%25`"},
    {"via with a percent at the end", via("http://me:pw-to-hide%2@corp:3128"), "2:16", "`%25`"},
    {"via with a colon in its user", via("http://m%3ae:pw-to-hide@corp:3128"), "2:16",
     "without a colon"},
    {"via with a line break", via("http://me:pw-to-hide%0d%0ax@corp:3128"), "2:16",
     "no control characters"},
    {"via with an endless password", via("http://me:" + std::string(9000, 'p') + "@corp:3128"),
     "2:16", "too long"},
    {"via as a list", via("[http://corp:3128]"), "2:16", "http://corp:3128"},
    {"bypass alone", "version: 1\norigins: {bypass: [a.test]}\n", "2:11", "`bypass` without `via`"},
    {"bypass of everything", "version: 1\norigins: {via: http://corp:3128, bypass: [\"*\"]}\n",
     "2:43", "for every host"},
    {"bypass of no host", "version: 1\norigins: {via: http://corp:3128, bypass: [\".a.test\"]}\n",
     "2:43", "a.test"},
    {"bypass twice", "version: 1\norigins: {via: http://corp:3128, bypass: [a.test, a.test]}\n",
     "2:51", "twice"},
    {"client certificate without a key", client_cert("hosts: [a.test], cert: c.pem"), "2:26",
     "`key` is missing"},
    {"client certificate for nobody", client_cert("hosts: [], cert: c.pem, key: k.pem"), "2:34",
     "hosts"},
    {"client certificate for strangers", client_cert("hosts: [\"*.com\"], cert: c, key: k"), "2:35",
     "strangers can register"},
    {"client certificate for a range", client_cert("hosts: [10.0.0.0/8], cert: c, key: k"), "2:35",
     "range of addresses"},
    {"client certificate with an unknown key",
     client_cert("hosts: [a.test], cert: c, key: k, chain: d"), "2:61", "known: `hosts`"},
    {"client certificates as a mapping", "version: 1\norigins: {client_certs: {cert: c.pem}}\n",
     "2:25", "a list is needed"},
    {"two client certificates for a host",
     "version: 1\norigins:\n  client_certs:\n"
     "    - {hosts: [\"*.corp.test\"], cert: c.pem, key: c.key}\n"
     "    - {hosts: [api.corp.test], cert: d.pem, key: d.key}\n",
     "5:16", "already, by `*.corp.test` of egret.yaml:4"},
    {"metadata opened", "version: 1\norigins: {allow_addresses: [169.254.169.254]}\n", "2:29",
     "metadata"},
};

void check_refused(const BadFile& bad) {
  CAPTURE(bad.name);
  const auto config = egret::parse_config(bad.yaml, "conf/egret.yaml", places);
  REQUIRE_FALSE(config.has_value());
  const egret::ConfigErrors& errors = config.error();
  REQUIRE(errors.size() >= 1);
  const std::string place = std::to_string(errors[0].line) + ":" + std::to_string(errors[0].column);
  const std::string text = errors[0].text();
  CAPTURE(text);
  CHECK(place == bad.place);
  CHECK(text.find(bad.says) != std::string::npos);
  CHECK(text.starts_with("conf/egret.yaml:"s + bad.place + ": "));
  CHECK_FALSE(errors[0].instead.empty());
}

}  // namespace

TEST_CASE("a file whose YAML is not plain and strict is refused at its place") {
  for (const BadFile& bad : yaml_shapes)
    check_refused(bad);
}

TEST_CASE("a rule that is mistyped, unmatchable or too wide is refused at its place") {
  for (const BadFile& bad : rules)
    check_refused(bad);
}

TEST_CASE("a secret without source, hosts or places, or with too many, is refused") {
  for (const BadFile& bad : secrets)
    check_refused(bad);
}

TEST_CASE("other sections refuse unknown names and meaningless values at their place") {
  for (const BadFile& bad : sections)
    check_refused(bad);
}

TEST_CASE("no error repeats a word of an upstream proxy's URL that could be its password") {
  for (const BadFile& bad : sections) {
    CAPTURE(bad.name);
    const auto config = egret::parse_config(bad.yaml, "egret.yaml", places);
    for (const egret::ConfigError& error : config.error())
      CHECK(error.text().find("to-hide") == std::string::npos);
  }
}

TEST_CASE("one mistake gives one error") {
  for (const BadFile& bad : rules) {
    CAPTURE(bad.name);
    const auto config = egret::parse_config(bad.yaml, "egret.yaml", places);
    CHECK(config.error().size() == 1);
  }
}
