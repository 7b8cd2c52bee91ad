#include "proxy/server/environment.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <unistd.h>

namespace egret {
namespace {

constexpr std::array<std::string_view, 14> bundle_names = {
    "SSL_CERT_FILE",       "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",  "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS", "PIP_CERT",
    "AWS_CA_BUNDLE",       "CARGO_HTTP_CAINFO",
    "DENO_CERT",           "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
    "NIX_SSL_CERT_FILE",   "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "BUNDLE_SSL_CA_CERT",  "NPM_CONFIG_CAFILE"};  // beats a cafile in an npmrc

// Agents and daemons outside, whose sockets are not there inside, and proxies that are not ours.
constexpr std::array<std::string_view, 14> never_passed = {
    "SSH_AUTH_SOCK",   "SSH_AGENT_PID", "DBUS_SESSION_BUS_ADDRESS",
    "GPG_AGENT_INFO",  "DOCKER_HOST",   "XDG_RUNTIME_DIR",
    "WAYLAND_DISPLAY", "DISPLAY",       "XAUTHORITY",
    "SSL_CERT_DIR",    "LD_PRELOAD",    "LD_LIBRARY_PATH",
    "LD_AUDIT",        "SSLKEYLOGFILE"};

constexpr std::array<std::string_view, 12> credential_words = {
    "TOKEN",      "SECRET",      "PASSWORD",   "PASSWD",   "API_KEY",    "APIKEY",
    "ACCESS_KEY", "PRIVATE_KEY", "CREDENTIAL", "AUTH_KEY", "GITHUB_PAT", "PASSPHRASE"};

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return out;
}

template <class List>
bool among(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool looks_like_credential(std::string_view name) {
  const std::string folded = upper(name);
  for (const std::string_view end : {"_KEY", "_PAT", "_DSN", "_PWD", "_AUTH"}) {
    if (folded.ends_with(end)) return true;
  }
  return std::any_of(credential_words.begin(), credential_words.end(),
                     [&](std::string_view word) { return folded.find(word) != std::string::npos; });
}

// `postgres://user:password@host`
bool has_url_password(std::string_view value) {
  const std::size_t scheme = value.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::string_view authority =
      value.substr(scheme + 3, value.find('/', scheme + 3) - scheme - 3);
  const std::size_t at = authority.find('@');
  return at != std::string_view::npos &&
         authority.substr(0, at).find(':') != std::string_view::npos;
}

bool is_credential(std::string_view name, std::string_view value) {
  return looks_like_credential(name) || has_url_password(value) || !shape_of(value).prefix.empty();
}

bool holds_a_secret(const GrantTable& grants, std::string_view value) {
  return std::any_of(grants.grants().begin(), grants.grants().end(), [&](const Grant& grant) {
    return value.find(grant.secret->reveal()) != std::string_view::npos;
  });
}

}  // namespace

Variables trust_variables(const std::string& bundle_path, const std::string& trust_store_path,
                          std::string_view java_options) {
  Variables out;
  for (const std::string_view name : bundle_names)
    out.emplace_back(name, bundle_path);
  std::string java(java_options);
  if (!java.empty()) java += ' ';
  java += "-Djavax.net.ssl.trustStore=" + trust_store_path +
          " -Djavax.net.ssl.trustStorePassword=changeit";
  out.emplace_back("JAVA_TOOL_OPTIONS", java);
  return out;
}

std::vector<std::string> usual_bundle_files() {
  return {
      "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Arch, Alpine
      "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // Fedora
      "/etc/ssl/ca-bundle.pem",                             // SUSE
      "/etc/ssl/cert.pem",
  };
}

std::vector<std::string> system_bundle_files() {
  std::vector<std::string> found;
  for (const std::string& path : usual_bundle_files()) {
    std::error_code error;
    const std::string file = std::filesystem::canonical(path, error);
    const bool ours = !error && std::filesystem::is_regular_file(file, error);
    if (ours && std::find(found.begin(), found.end(), file) == found.end()) found.push_back(file);
  }
  return found;
}

Variables placeholder_variables(const GrantTable& grants) {
  Variables out;
  for (const Grant& grant : grants.grants())
    out.emplace_back(grant.name, grant.placeholder.text());
  return out;
}

Variables proxy_variables(const std::string& proxy_url) {
  Variables out;
  for (const std::string_view name :
       {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"}) {
    out.emplace_back(name, proxy_url);
  }
  // The client's own machine only: what is there never goes through a proxy.
  out.emplace_back("NO_PROXY", "localhost,127.0.0.1");
  out.emplace_back("no_proxy", "localhost,127.0.0.1");
  out.emplace_back("NODE_USE_ENV_PROXY", "1");
  return out;
}

SandboxEnvironment environment_for_sandbox(const Variables& own, const Variables& added,
                                           const std::vector<std::string>& sources,
                                           const std::vector<std::string>& pass,
                                           const GrantTable& grants) {
  SandboxEnvironment out;
  for (const auto& [name, value] : own) {
    const bool replaced =
        std::any_of(added.begin(), added.end(), [&](const auto& one) { return one.first == name; });
    if (replaced || among(sources, name) || among(never_passed, name) ||
        upper(name).ends_with("_PROXY"))
      continue;
    if (holds_a_secret(grants, value)) continue;
    if (is_credential(name, value) && !value.empty() && !among(pass, name)) {
      out.hidden.push_back(name);
      continue;
    }
    out.variables.emplace_back(name, value);
  }
  out.variables.insert(out.variables.end(), added.begin(), added.end());
  return out;
}

Variables own_environment() {
  Variables out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos)
      out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

Variables without_host_variables(const Variables& own, const std::vector<std::string>& pass) {
  constexpr std::array<std::string_view, 3> talks = {"TERM", "COLORTERM", "NO_COLOR"};
  Variables out;
  for (const auto& [name, value] : own) {
    if (among(talks, name) || among(pass, name)) out.emplace_back(name, value);
  }
  return out;
}

std::string as_exports(const Variables& variables) {
  std::string out;
  for (const auto& [name, value] : variables) {
    out += "export " + name + "='";
    for (const char c : value)
      out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    out += "'\n";
  }
  return out;
}

}  // namespace egret
