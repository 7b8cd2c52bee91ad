// Invariant 7: one record for each decision, in the file before anything leaves; no record, no
// traffic.
#include <atomic>
#include <cerrno>

#include "proxy/audit/system.h"
#include "tests/invariants/assembled.h"

using namespace egret;
using namespace egret::test;

namespace {

class FullDisk final : public AuditSystem {
 public:
  ssize_t write(int fd, const char* data, std::size_t size) override {
    if (!full) return AuditSystem::write(fd, data, size);
    errno = ENOSPC;
    return -1;
  }
  std::atomic<bool> full{false};
};

}  // namespace

TEST_CASE("the record stands in the file when the origin sees the request") {
  const Assembled* seen = nullptr;
  std::atomic<int> recorded{0};
  const Origin origin([&](const std::string& request) {
    const std::string path = request.substr(4, request.find(' ', 4) - 4);
    recorded += seen->audit_text().find("\"path\":\"" + path + "\"") != std::string::npos;
    return ok();
  });
  Assembled gate;
  seen = &gate;
  const std::uint16_t port =
      gate.add(policy_of({allow("a.test")}, pinned({{"a.test", origin.port()}})));
  gate.start();
  Peer client(connected(port));
  constexpr int count = 20;
  for (int i = 0; i < count; ++i) {
    client.send(get("a.test", "http://a.test/number/" + std::to_string(i)));
    CHECK(status(client.receive_message()) == 200);
  }
  CHECK(recorded == count);
  gate.stop();
  CHECK(gate.records("request").size() == count);
  CHECK(gate.records("response").size() == count);
}

TEST_CASE("every decision leaves one record, and every allowed exchange its end") {
  const Origin origin;
  Assembled gate;
  const std::uint16_t port =
      gate.add(policy_of({allow("a.test")}, pinned({{"a.test", origin.port()}})));
  gate.start();
  const std::string requests[] = {get("a.test", "http://a.test/"),
                                  get("evil.test", "http://evil.test/"), "nonsense\r\n\r\n",
                                  get("b.test", "http://a.test/"),
                                  "CONNECT evil.test:25 HTTP/1.1\r\nhost: evil.test:25\r\n\r\n"};
  for (const std::string& request : requests) {
    Peer client(connected(port));
    client.send(request);
    CHECK(status(client.receive_message()) != 0);
  }
  gate.stop();
  std::map<std::string, int> of_id;
  for (const auto& record : gate.records("request"))
    ++of_id[record["id"].get<std::string>()];
  CHECK(of_id.size() == std::size(requests));
  for (const auto& [id, count] : of_id)
    CHECK(count == 1);
  CHECK(gate.records("response").size() == 1);
}

TEST_CASE("while records cannot be written nothing passes, and afterwards it does by itself") {
  FullDisk disk;
  AuditOptions options;
  options.system = &disk;
  options.stall_max = std::chrono::milliseconds(200);
  options.retry_every = std::chrono::milliseconds(10);
  const Origin origin;
  Assembled gate(nullptr, options);
  const std::uint16_t port =
      gate.add(policy_of({allow("a.test")}, pinned({{"a.test", origin.port()}})));
  gate.start();
  const auto ask = [&] {
    Peer client(connected(port));
    client.send(get("a.test", "http://a.test/"));
    return status(client.receive_message());
  };
  CHECK(ask() == 200);
  disk.full = true;
  CHECK(ask() == 503);
  CHECK(ask() == 503);
  CHECK(origin.requests().size() == 1);
  disk.full = false;
  int answer = 0;
  for (int attempt = 0; attempt < 1000 && answer != 200; ++attempt)
    answer = ask();
  CHECK(answer == 200);
}
