// Reading the file itself: whoever can write the policy can open the gate, so nobody else may.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "config/config.h"

namespace {

using namespace egret;
namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "egret-config-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string file(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    const std::string path = path_ / name;
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path) << text;
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    return path;
  }
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

std::string only_error(const std::string& path) {
  const auto config = load_config(path, {"/home/me", "", ""});
  REQUIRE_FALSE(config.has_value());
  REQUIRE(config.error().size() == 1);
  return config.error()[0].text();
}

bool contains(const std::string& text, const char* part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a file that only its owner can write is read") {
  const Folder folder;
  const std::string path = folder.file("egret.yaml", "version: 1\naudit: {file: a.jsonl}\n", 0644);
  const auto config = load_config(path, {"/home/me", "", ""});
  REQUIRE(config.has_value());
  CHECK(config->audit_file == folder.path() + "/a.jsonl");
}

TEST_CASE("a symbolic link to such a file is followed") {
  const Folder folder;
  const std::string path = folder.file("real.yaml", "version: 1\n");
  fs::create_symlink(path, folder.path() + "/egret.yaml");
  CHECK(load_config(folder.path() + "/egret.yaml", {"/home/me", "", ""}).has_value());
}

TEST_CASE("a file that group or others can write is refused") {
  const Folder folder;
  for (const mode_t mode : {0620U, 0602U, 0666U}) {
    const std::string path = folder.file("egret.yaml", "version: 1\n", mode);
    CHECK(contains(only_error(path), "chmod go-w"));
  }
}

TEST_CASE("a file of another user is refused") {
  if (::geteuid() != 0) return;  // only root can give a file away
  const Folder folder;
  const std::string path = folder.file("egret.yaml", "version: 1\n");
  REQUIRE(::chown(path.c_str(), 65534, 65534) == 0);
  CHECK(contains(only_error(path), "belongs to another user"));
}

TEST_CASE("a file in a folder where everybody can replace it is refused") {
  const Folder folder;
  const std::string path = folder.file("open/egret.yaml", "version: 1\n");
  REQUIRE(::chmod((folder.path() + "/open").c_str(), 0777) == 0);
  CHECK(contains(only_error(path), "everybody can replace it"));
}

TEST_CASE("a folder, a device and a FIFO are refused without waiting") {
  const Folder folder;
  const std::string fifo = folder.path() + "/fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  for (const std::string& path : {folder.path(), std::string("/dev/null"), fifo}) {
    CHECK(contains(only_error(path), "not a regular file"));
  }
}

TEST_CASE("a missing file says how to make one") {
  const Folder folder;
  CHECK(contains(only_error(folder.path() + "/egret.yaml"), "egret init config"));
}

TEST_CASE("a file of more than 1 MiB is refused, one of exactly that is not") {
  const Folder folder;
  const std::string head = "version: 1\n#";
  const std::string most = head + std::string(1024 * 1024 - head.size(), 'x');
  CHECK(load_config(folder.file("most.yaml", most), {"/home/me", "", ""}).has_value());
  CHECK(contains(only_error(folder.file("more.yaml", most + "x")), "1 MiB"));
}

TEST_CASE("the file is found by --config, then in the configuration directories") {
  const Folder folder;
  const ConfigPlaces places{folder.path(), "", ""};
  CHECK(find_config("/no/such/file", places) == "/no/such/file");
  CHECK_FALSE(find_config(std::nullopt, places).has_value());
  const std::string home = folder.file(".config/egret/egret.yaml", "version: 1\n");
  CHECK(find_config(std::nullopt, places) == home);
  const std::string xdg = folder.file("xdg/egret/egret.yaml", "version: 1\n");
  CHECK(find_config(std::nullopt, {folder.path(), "", folder.path() + "/xdg"}) == xdg);
}

TEST_CASE("every example parses") {
  const fs::path examples = fs::path(EGRET_SOURCE_DIR) / "config" / "examples";
  int count = 0;
  for (const auto& entry : fs::directory_iterator(examples)) {
    std::ifstream stream(entry.path());
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    const auto config = parse_config(text, entry.path().string(), {"/home/me", "", ""});
    if (!config) MESSAGE(config.error()[0].text());
    CHECK(config.has_value());
    ++count;
  }
  CHECK(count >= 2);
}
