#include "proxy/wire/http2.h"

#include <chrono>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nghttp2/nghttp2.h>

#include "tests/proxy/wire/http2_peers.h"

using namespace egret;
using namespace egret::http2_test;
using Role = Http2Session::Role;

namespace {

RequestHead post() {
  RequestHead head;
  head.method = "POST";
  head.target = "/a?b=c";
  head.fields.add("host", "a.example");
  head.fields.add("x-one", "1");
  return head;
}

// A request and its response with bodies, an interim head and trailers; the server's lines, then
// the client's.
std::vector<std::string> converse(std::size_t piece_bytes) {
  Side client(Role::client);
  Side server(Role::server);
  const auto id = client.session.request(post(), {BodyLength::Kind::chunked, 0}, true);
  REQUIRE(id.has_value());
  client.bodies[*id].left = std::string(40'000, 'u');
  client.bodies[*id].trailers.add("x-sum", "7");
  talk(client, server, piece_bytes);
  server.session.consumed(*id, server.received[*id].size());
  ResponseHead head;
  head.status = 103;
  head.fields.add("link", "</a>");
  server.session.respond_interim(*id, head);
  head.status = 200;
  server.bodies[*id].left = std::string(30'000, 'd');
  server.bodies[*id].trailers.add("grpc-status", "0");
  server.session.respond(*id, head, {BodyLength::Kind::chunked, 0}, true);
  talk(client, server, piece_bytes);
  CHECK(server.received[*id] == std::string(40'000, 'u'));
  CHECK(client.received[*id] == std::string(30'000, 'd'));
  std::vector<std::string> lines = server.log;
  lines.insert(lines.end(), client.log.begin(), client.log.end());
  return lines;
}

// A server that has been told these bytes.
std::vector<std::string> told(const std::vector<std::string_view>& pieces) {
  Side server(Role::server);
  for (const std::string_view piece : pieces) {
    static_cast<void>(server.session.receive(piece, {}));
    server.collected();
  }
  std::vector<std::string> lines = server.log;
  for (const auto& [stream, body] : server.received)
    lines.push_back(std::to_string(stream) + " got " + body);
  return lines;
}

struct Carried {
  std::string name;
  std::string value;
  bool never_indexed;
};

// The fields of every HEADERS frame, decoded with one table.
std::vector<Carried> fields_sent(std::string_view frames) {
  nghttp2_hd_inflater* inflater = nullptr;
  REQUIRE(nghttp2_hd_inflate_new(&inflater) == 0);
  std::vector<Carried> fields;
  while (frames.size() >= 9) {
    const auto octet = [&](std::size_t at) { return static_cast<unsigned char>(frames[at]); };
    const std::size_t bytes = std::size_t{octet(1)} << 8 | std::size_t{octet(2)};
    std::string_view payload = frames.substr(9, bytes);
    while (octet(3) == 1 && !payload.empty()) {
      nghttp2_nv field{};
      int flags = 0;
      const auto* data = reinterpret_cast<const std::uint8_t*>(payload.data());
      const auto taken = nghttp2_hd_inflate_hd2(inflater, &field, &flags, data, payload.size(), 1);
      REQUIRE(taken >= 0);
      payload.remove_prefix(static_cast<std::size_t>(taken));
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        fields.push_back({{reinterpret_cast<char*>(field.name), field.namelen},
                          {reinterpret_cast<char*>(field.value), field.valuelen},
                          (field.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0});
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    if (octet(3) == 1) nghttp2_hd_inflate_end_headers(inflater);
    frames.remove_prefix(9 + bytes);
  }
  nghttp2_hd_inflate_del(inflater);
  return fields;
}

constexpr Http2Session::Time start{};

}  // namespace

TEST_CASE("a request and its response arrive whole, whatever the pieces") {
  const auto whole = converse(1 << 20);
  CHECK(whole == std::vector<std::string>{"1 POST /a?b=c x-one=1 host=a.example",
                                          "1 end after 40000 x-sum=7", "1 end sent", "1 closed 0",
                                          "1 end sent", "1 103 link=</a>", "1 200 link=</a>",
                                          "1 end after 30000 grpc-status=0", "1 closed 0"});
  for (const std::size_t bytes : {1U, 2U, 7U, 8U, 9U, 10U, 100U, 16'384U})
    CHECK(converse(bytes) == whole);
}

TEST_CASE("what arrives is the same at every split") {
  const std::string wire =
      preface +
      head_frame(1, get({{"cookie", "a=1"}, {"cookie", "b=2"}, {"x-a", "b"}}), end_headers) +
      frame(0, 0, 1, "some") + head_frame(3, get({{"x y", "1"}})) + frame(0, 0, 1, "thing") +
      head_frame(1, {{"x-sum", "9"}}) + frame(6, 0, 0, "12345678");
  const auto whole = told({wire});
  CHECK(whole.size() >= 4);
  CHECK(whole.front() == "1 GET / x-a=b cookie=a=1; b=2 host=a.example");
  for (std::size_t cut = 1; cut < wire.size(); ++cut) {
    const std::string_view text = wire;
    CHECK(told({text.substr(0, cut), text.substr(cut)}) == whole);
  }
}

TEST_CASE("a head beyond a limit is malformed, with the status that says which") {
  Http2Limits limits;
  limits.fields_max = 10;
  limits.head_bytes_max = 1000;
  limits.field_bytes_max = 100;
  limits.target_bytes_max = 50;
  const std::string long_text(60, 'p');
  Fields many = get();
  for (int i = 0; i < 7; ++i)
    many.push_back({"x-a", "1"});
  Fields crumbs = get();
  for (int i = 0; i < 7; ++i)
    crumbs.push_back({"cookie", "a"});
  Fields heavy = get();
  for (int i = 0; i < 6; ++i)
    heavy.push_back({"x-a", std::string(126, 'v')});
  Fields far = get();
  far[3].second = '/' + long_text;
  Fields odd = get();
  odd[0].second = long_text;
  const std::vector<std::pair<Fields, int>> rows = {
      {many, 431}, {crumbs, 431}, {heavy, 431}, {far, 414}, {odd, 501}, {get({{"x y", "1"}}), 400}};
  for (const auto& row : rows) {
    Side server(Role::server, limits);
    CHECK(server.session.receive(preface + head_frame(1, row.first), {}).has_value());
    REQUIRE(server.faults.size() == 1);
    CHECK(server.faults[0].status == row.second);
    CHECK(server.requests.empty());
  }
}

TEST_CASE("streams begun and reset end the connection before most of them are looked at") {
  std::string wire = preface;
  for (std::uint32_t stream = 1; stream < 6000; stream += 2)
    wire += head_frame(stream, get()) + frame(3, 0, stream, std::string("\0\0\0\x8", 4));
  Side server(Role::server);
  const auto received = server.session.receive(wire, start);
  REQUIRE_FALSE(received.has_value());
  CHECK(received.error().reason == Reason::h2_abuse);
  CHECK(goaway_code(server.collected()) == NGHTTP2_ENHANCE_YOUR_CALM);
  CHECK(server.session.finished());
  CHECK(server.requests.size() < 400);
}

TEST_CASE("resets that we are made to send end the connection too, and it says so afterwards") {
  Side server(Role::server);
  CHECK(server.session.receive(preface, start).has_value());
  std::string sent;
  for (std::uint32_t stream = 1; stream < 400 && !server.session.fault(); stream += 2) {
    CHECK(server.session.receive(head_frame(stream, get({{"connection", "close"}})), start)
              .has_value());
    sent += server.collected();
  }
  sent += server.collected();
  REQUIRE(server.session.fault().has_value());
  CHECK(server.session.fault()->reason == Reason::h2_abuse);
  CHECK(goaway_code(sent) == NGHTTP2_ENHANCE_YOUR_CALM);
  CHECK(server.faults.size() < 150);
}

TEST_CASE("frames that carry nothing are counted, whatever their type and their stream") {
  const std::string reset = frame(3, 0, 3, std::string("\0\0\0\x8", 4));
  const std::string open = head_frame(1, get(), end_headers) + head_frame(3, get()) + reset;
  const std::vector<std::string> idle = {
      frame(6, 0, 0, "12345678"), frame(4, 0, 0, ""),
      frame(0, 0, 1, ""),         frame(2, 0, 1, std::string(5, '\0')),
      frame(0xbe, 0, 0, "?"),     frame(0xa, 0, 1, ""),
      frame(0, 0, 3, "")};  // on a stream that is closed
  for (const Role role : {Role::server, Role::client}) {
    for (const std::string& one : idle) {
      Side side(role);
      if (role == Role::client) {
        REQUIRE(side.session.request(post(), {}, false).has_value());
        CHECK(side.session.receive(frame(4, 0, 0, ""), start).has_value());
        side.collected();
        REQUIRE(side.session.request(post(), {}, false).has_value());
        side.collected();
        const std::string begun = frame(1, end_headers, 1, "\x88") + reset;
        CHECK(side.session.receive(begun, start).has_value());
      } else {
        CHECK(side.session.receive(preface + open, start).has_value());
      }
      std::string sent;
      bool ended = false;
      for (int i = 0; i < 1100 && !ended; ++i) {
        ended = !side.session.receive(one, start).has_value();
        sent += side.collected();
      }
      CAPTURE(one);
      CHECK(ended);
      CHECK(goaway_code(sent) == NGHTTP2_ENHANCE_YOUR_CALM);
    }
  }
}

TEST_CASE("what is spread over time is no flood") {
  Side server(Role::server);
  CHECK(server.session.receive(preface, start).has_value());
  for (int i = 0; i < 5000; ++i) {
    const auto now = start + std::chrono::milliseconds(20 * i);
    CHECK(server.session.receive(frame(6, 0, 0, "12345678"), now).has_value());
    server.collected();
  }
  CHECK_FALSE(server.session.fault().has_value());
}

TEST_CASE("credentials, and what is marked as sensitive, are never put into the table") {
  Side client(Role::client);
  RequestHead head = post();
  head.fields.add("authorization", "Bearer s3cret");
  head.fields.add("x-api-key", "s3cret");
  head.sensitive_target = true;
  head.fields.add("x-mine", "s3cret");
  head.fields.mark_sensitive(head.fields.size() - 1);
  for (int i = 0; i < 3; ++i)
    REQUIRE(client.session.request(head, {}, false).has_value());
  const std::string wire = client.collected();
  unsigned never = 0;
  for (const Carried& field : fields_sent(std::string_view(wire).substr(24))) {
    const bool secret =
        field.value == "Bearer s3cret" || field.value == "s3cret" || field.name == ":path";
    CAPTURE(field.name);
    CHECK(field.never_indexed == secret);
    never += secret ? 1 : 0;
  }
  CHECK(never == 3 * 4);
}

TEST_CASE("a peer may send as much as its window, and more once that was taken") {
  Http2Limits limits;
  limits.stream_window_min = limits.stream_window_max = 1000;
  Side client(Role::client);
  Side server(Role::server, limits);
  talk(client, server);
  const auto id = client.session.request(post(), {BodyLength::Kind::chunked, 0}, true);
  REQUIRE(id.has_value());
  client.bodies[*id].left = std::string(2500, 'u');
  talk(client, server);
  CHECK(server.received[*id].size() == 1000);
  server.session.consumed(*id, 1000);
  talk(client, server);
  CHECK(server.received[*id].size() == 2000);
  server.session.consumed(*id, 1000);
  talk(client, server);
  CHECK(server.received[*id].size() == 2500);
  CHECK(server.said("1 end after 2500"));
}

TEST_CASE("there is room for as many streams as the peer takes, promised ones counted") {
  Http2Limits limits;
  limits.streams_max = 3;
  Side client(Role::client);
  Side server(Role::server, limits);
  talk(client, server);
  REQUIRE(client.session.request(post(), {}, false).has_value());
  CHECK(client.session.has_room(1));
  CHECK_FALSE(client.session.has_room(2));
  server.session.go_away();
  talk(client, server);
  CHECK_FALSE(client.session.has_room(0));
  CHECK_FALSE(client.session.request(post(), {}, false).has_value());
}

TEST_CASE("what no origin may say resets the stream or ends the connection") {
  const std::string ok = "\x88";
  const std::vector<std::string> rows = {
      frame(1, end_headers, 1, block({{":status", "99"}})),
      frame(1, end_headers, 1, block({{":status", "600"}})),
      frame(1, end_headers, 1, ok + block({{"connection", "close"}})),
      frame(1, end_headers, 1, ok + block({{"x-a", "b\r\nc"}})),
      frame(1, end_headers, 1, ok) + frame(1, end_headers | end_stream, 1, block({{":path", "/"}})),
      frame(1, end_headers, 1, ok) + frame(1, end_headers | end_stream, 1, block({{"host", "b"}})),
      frame(1, end_headers, 1, ok + block({{"content-length", "2"}})) + frame(0, 1, 1, "abc"),
      frame(5, end_headers, 1, std::string("\0\0\0\x2", 4) + block(get()))};
  for (const std::string& row : rows) {
    Side client(Role::client);
    REQUIRE(client.session.request(post(), {}, false).has_value());
    client.collected();
    static_cast<void>(
        client.session.receive(frame(4, 0, 0, "") + frame(4, ack, 0, "") + row, start));
    const std::string sent = client.collected();
    CAPTURE(row);
    // Closed without an end is broken, whatever the code.
    CHECK((client.said("1 closed 1") || client.said("1 closed 0") || goaway_code(sent) > 0));
    for (const std::string& line : client.log)
      CHECK(line.find("end after") == std::string::npos);
  }
}
