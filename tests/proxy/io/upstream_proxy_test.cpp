// CONNECT as it is asked of an upstream proxy, and everything that a proxy can answer.
#include "proxy/io/upstream_proxy.h"

#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "proxy/exchange/base64.h"
#include "tests/proxy/io/stream_pair.h"

namespace egret {
namespace {

using namespace std::string_literals;

Target target_of(Scheme scheme, std::string_view host, std::uint16_t port) {
  return {scheme, *Host::parse(host), port};
}

UpstreamProxy proxy_with(const char* credentials) {
  std::shared_ptr<const Secret> authorization;
  if (credentials != nullptr) {
    auto secret = Secret::from("Basic " + base64_encode(credentials));
    REQUIRE(secret.has_value());
    authorization = std::make_shared<const Secret>(std::move(*secret));
  }
  return {*Host::parse("corp.test"), 3128, std::move(authorization), {}};
}

// A connection to a proxy that answers what the test wrote before, cut as the test likes.
struct Scene : StreamPair {
  // What has arrived and not been read.
  std::string at(int fd) const {
    std::string text(4096, '\0');
    const ssize_t got = ::recv(fd, text.data(), text.size(), MSG_DONTWAIT);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }
  // The refusal, or none where the tunnel is open. `second` comes once all else waits for it.
  std::optional<Refusal> open(const UpstreamProxy& proxy, const Target& target,
                              std::string second = {},
                              std::chrono::milliseconds time_max = std::chrono::seconds(60)) {
    std::optional<Result<void, Refusal>> result;
    asio::co_spawn(context, open_tunnel(*stream, proxy, target, time_max),
                   [&](std::exception_ptr thrown, Result<void, Refusal> value) {
                     REQUIRE_FALSE(thrown);
                     result = std::move(value);
                     context.stop();
                   });
    context.restart();
    context.poll();
    if (!second.empty() && !result) peer_writes(second);
    if (!result) {
      context.restart();
      context.run();
    }
    REQUIRE(result.has_value());
    if (*result) return std::nullopt;
    return result->error();
  }
};

const std::string ok = "HTTP/1.1 200 Connection established\r\n\r\n";

TEST_CASE("CONNECT names the canonical target with its port, and shows the credentials") {
  const struct {
    Target target;
    const char* authority;
  } rows[] = {
      {target_of(Scheme::https, "API.demo.test", 443), "api.demo.test:443"},
      {target_of(Scheme::tcp, "git.demo.test", 22), "git.demo.test:22"},
      {target_of(Scheme::https, "[2001:DB8::1]", 8443), "[2001:db8::1]:8443"},
  };
  for (const auto& row : rows) {
    for (const char* credentials : {static_cast<const char*>(nullptr), "user:pass"}) {
      Scene scene;
      scene.peer_writes(ok);
      CHECK_FALSE(scene.open(proxy_with(credentials), row.target).has_value());
      const std::string authority = row.authority;
      CHECK(scene.at(scene.peer) ==
            "CONNECT " + authority + " HTTP/1.1\r\nhost: " + authority + "\r\n" +
                (credentials != nullptr ? "proxy-authorization: Basic dXNlcjpwYXNz\r\n" : "") +
                "\r\n");
    }
  }
}

TEST_CASE("a 2xx opens the tunnel wherever its head is cut, and nothing behind it is taken") {
  const Target tunnel = target_of(Scheme::tcp, "git.demo.test", 22);
  const std::string answers[] = {
      ok,
      "HTTP/1.0 200 OK\r\nProxy-Agent: x\r\n\r\n",
      "HTTP/1.1 299 Odd\r\nContent-Length: 7\r\n\r\n",
      "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + ok,
  };
  for (const std::string& answer : answers) {
    CAPTURE(answer);
    const std::string all = answer + "SSH-2.0-origin\r\n";
    for (std::size_t cut = 0; cut < all.size(); ++cut) {
      Scene scene;
      if (cut > 0) scene.peer_writes(std::string_view(all).substr(0, cut));
      const auto refusal = scene.open(proxy_with(nullptr), tunnel, all.substr(cut));
      REQUIRE_FALSE(refusal.has_value());
      if (cut >= answer.size()) scene.peer_writes(std::string_view(all).substr(cut));
      REQUIRE(scene.at(scene.stream->fd()) == "SSH-2.0-origin\r\n");
    }
  }
}

TEST_CASE("where a client speaks first, what the proxy sends behind its head is refused") {
  Scene scene;
  scene.peer_writes(ok + "HTTP/1.1 200 OK\r\n");
  const auto refusal =
      scene.open(proxy_with(nullptr), target_of(Scheme::https, "api.demo.test", 443));
  REQUIRE(refusal.has_value());
  CHECK(refusal->denial.reason == Reason::upstream_unreachable);
  CHECK(refusal->denial.hint.find("behind its answer") != std::string::npos);
}

TEST_CASE("a proxy that opens no tunnel is told in clear words that name origins.via") {
  const struct {
    const char* name;
    std::string answer;
    Reason reason;
    const char* says;
  } rows[] = {
      {"wrong credentials",
       "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 4\r\n\r\nwho?",
       Reason::upstream_unreachable, "(407)"},
      {"forbidden", "HTTP/1.1 403 No\r\n\r\n", Reason::upstream_unreachable, "status 403"},
      {"unavailable", "HTTP/1.1 503 Oh\r\n\r\n", Reason::upstream_unreachable, "status 503"},
      {"too slow itself", "HTTP/1.1 504 Oh\r\n\r\n", Reason::upstream_timeout, "status 504"},
      {"a redirection", "HTTP/1.1 302 There\r\nLocation: http://x/\r\n\r\n",
       Reason::upstream_unreachable, "status 302"},
      {"another protocol", "HTTP/1.1 101 Hm\r\n\r\n", Reason::upstream_unreachable, "status 101"},
      {"no HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", Reason::upstream_unreachable, "not valid HTTP"},
      {"bare line feeds", "HTTP/1.1 200 OK\n\n", Reason::upstream_unreachable, "not valid HTTP"},
      {"a folded field", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", Reason::upstream_unreachable,
       "not valid HTTP"},
      {"nothing", "", Reason::upstream_unreachable, "ended the connection"},
      {"half a head", "HTTP/1.1 200 OK\r\n", Reason::upstream_unreachable, "ended the connection"},
      {"an endless head", "HTTP/1.1 200 OK\r\nX: " + std::string(40000, 'x'),
       Reason::upstream_unreachable, "not valid HTTP"},
      {"hints for ever",
       std::string("HTTP/1.1 100 Go\r\n\r\n") + "HTTP/1.1 100 Go\r\n\r\n" +
           "HTTP/1.1 100 Go\r\n\r\n" + "HTTP/1.1 100 Go\r\n\r\n" + "HTTP/1.1 100 Go\r\n\r\n",
       Reason::upstream_unreachable, "not valid HTTP"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.name);
    Scene scene;
    scene.peer_writes(row.answer);
    scene.peer_ends();
    const auto refusal =
        scene.open(proxy_with("user:pass"), target_of(Scheme::https, "api.demo.test", 443));
    REQUIRE(refusal.has_value());
    CHECK(refusal->denial.reason == row.reason);
    CHECK(refusal->status == (row.reason == Reason::upstream_timeout ? 504 : 502));
    CAPTURE(refusal->denial.hint);
    CHECK(refusal->denial.hint.find(row.says) != std::string::npos);
    CHECK(refusal->denial.hint.find("origins.via") != std::string::npos);
  }
}

TEST_CASE("a proxy that does not answer in time is given up, however slowly it drips") {
  for (const char* answer : {"", "HTTP/1.1 200 OK\r\nX: y"}) {
    Scene scene;
    scene.peer_writes(answer);
    const auto refusal =
        scene.open(proxy_with(nullptr), target_of(Scheme::https, "api.demo.test", 443), {},
                   std::chrono::milliseconds(1));
    REQUIRE(refusal.has_value());
    CHECK(refusal->denial.reason == Reason::upstream_timeout);
    CHECK(refusal->status == 504);
  }
}

TEST_CASE("the bypass list covers names by pattern, and by where all of their addresses are") {
  const Rule rule{.effect = Effect::allow,
                  .host = *HostPattern::parse("*", Wildcards::any),
                  .source = "test:1"};
  const Policy policy({rule});
  AddressRules opened;
  opened.allowed = {*Cidr::parse("10.0.0.0/8")};
  const auto checked = [&](const Host& host, std::initializer_list<const char*> addresses) {
    const Target target{Scheme::https, host, 443};
    const auto path = RequestPath::parse("/");
    const Verdict verdict = decide(policy, {target, "GET", &*path});
    REQUIRE(std::holds_alternative<Permit>(verdict));
    std::vector<CheckedAddress> out;
    for (const char* address : addresses)
      out.push_back(*check_address(std::get<Permit>(verdict), opened, *IpAddress::parse(address)));
    return out;
  };
  UpstreamProxy proxy = proxy_with(nullptr);
  for (const char* pattern : {"exact.test", "*.deep.test", "10.1.0.0/16", "9.9.9.9"})
    proxy.bypass.push_back(*HostPattern::parse(pattern, Wildcards::any));
  const struct {
    const char* host;
    std::initializer_list<const char*> addresses;
    bool passes;
  } rows[] = {
      {"exact.test", {"8.8.8.8"}, true},
      {"not.exact.test", {"8.8.8.8"}, false},
      {"a.deep.test", {"8.8.8.8"}, true},
      {"deep.test", {"8.8.8.8"}, false},
      {"inside.test", {"10.1.2.3"}, true},
      {"inside.test", {"10.1.2.3", "10.1.9.9"}, true},
      {"half.test", {"10.1.2.3", "10.2.2.3"}, false},
      {"one.test", {"9.9.9.9"}, true},
      {"nowhere.test", {}, false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.host);
    const Host host = *Host::parse(row.host);
    CHECK(proxy.passes_by(host, checked(host, row.addresses)) == row.passes);
  }
}

TEST_CASE("the gate's own listeners are known by their address, and by any where all are meant") {
  const auto at = [](const char* address, std::uint16_t port) {
    return SocketAddress{*IpAddress::parse(address), port};
  };
  const std::vector<SocketAddress> one = {at("127.0.0.1", 3128)};
  CHECK(is_own_listener(at("127.0.0.1", 3128), one));
  CHECK_FALSE(is_own_listener(at("127.0.0.1", 3129), one));
  CHECK_FALSE(is_own_listener(at("127.0.0.2", 3128), one));
  const std::vector<SocketAddress> all = {at("0.0.0.0", 3128)};
  CHECK(is_own_listener(at("127.0.0.1", 3128), all));
  CHECK(is_own_listener(at("127.9.9.9", 3128), all));
  CHECK_FALSE(is_own_listener(at("192.0.2.9", 3128), all));
  for (const IpAddress& mine : interface_addresses())
    CHECK(is_own_listener({mine, 3128}, all));
}

}  // namespace
}  // namespace egret
