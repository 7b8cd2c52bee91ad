// The `podman create` call, and what of the host is in it.
#include "sandbox-glue/container/create_command.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace egret::test {
namespace {

namespace fs = std::filesystem;

class Project {
 public:
  Project() {
    std::string name = fs::temp_directory_path() / "egret-test-XXXXXX";
    root_ = ::mkdtemp(name.data());
    fs::create_directories(root_ / "work" / "state");
    write("work/egret.yaml");
    write("work/state/audit.jsonl");
  }
  ~Project() { fs::remove_all(root_); }
  Project(const Project&) = delete;
  Project& operator=(const Project&) = delete;

  std::string path(const std::string& name) const { return fs::canonical(root_) / name; }
  void write(const std::string& name) const { std::ofstream(root_ / name) << "text"; }

 private:
  fs::path root_;
};

ContainerRequest request_in(const std::string& folder) {
  ContainerRequest request;
  request.image = "localhost/image";
  request.sandbox.command = {"sh", "-c", "true"};
  request.sandbox.working_directory = folder;
  return request;
}

ContainerPlaces places() {
  ContainerPlaces places;
  places.name = "egret-name";
  places.network = "/proc/7/ns/net";
  places.files = "/files";
  places.environment = "/files/environment";
  places.open_files_max = 20000;
  places.processes_max = 1 << 20;
  return places;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words)
    text += word + " ";
  return text;
}

std::string command_of(const ContainerRequest& request) {
  const auto plan = plan_container(request, HostView{});
  REQUIRE(plan.has_value());
  return joined(create_command(request, *plan, places()));
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE(
    "a container joins the held namespace and has no power, whatever podman is configured to") {
  const Project project;
  const std::string command = command_of(request_in(project.path("work")));
  for (const char* part :
       {"create ", "--network ns:/proc/7/ns/net ", "--cap-drop all ",
        "--security-opt no-new-privileges ", "--userns host ", "--pid private ", "--ipc private ",
        "--env-host=false ", "--http-proxy=false ", "--pids-limit 4096 "}) {
    CAPTURE(part);
    CHECK(has(command, part));
  }
  CHECK(command.ends_with(" -- localhost/image sh -c true "));
}

TEST_CASE("limits are the caller's own where podman would ask for more") {
  const Project project;
  ContainerRequest request = request_in(project.path("work"));
  CHECK(has(command_of(request), "--ulimit nofile=20000:20000 --ulimit nproc=32768:32768 "));
  request.options = {"--ulimit=nofile=9:9"};
  const std::string command = command_of(request);
  CHECK_FALSE(has(command, "nofile=20000"));
  CHECK(has(command, "--ulimit=nofile=9:9 "));
}

TEST_CASE("of the host there is the working folder, without what has to stay hidden in it") {
  const Project project;
  const std::string work = project.path("work");
  ContainerRequest request = request_in(work);
  request.sandbox.hidden_paths = {work + "/state", work + "/state/audit.jsonl",
                                  work + "/egret.yaml", "/etc/passwd"};
  const std::string command = command_of(request);
  CHECK(has(command, "\"source=" + work + "\",\"destination=" + work + "\" "));
  CHECK(has(command, "\"source=/files/empty\",\"destination=" + work + "/egret.yaml\",ro "));
  CHECK(has(command, "\"source=/files/nothing\",\"destination=" + work + "/state\",ro "));
  CHECK_FALSE(has(command, "\"source=" + work + "/state\""));
  CHECK_FALSE(has(command, "/etc/passwd"));
}

TEST_CASE("a writable path that would show what is hidden is refused") {
  const Project project;
  ContainerRequest request = request_in(project.path("work"));
  request.sandbox.hidden_paths = {project.path("work/state")};
  request.sandbox.writable_paths = {project.path("work/state")};
  const auto plan = plan_container(request, HostView{});
  REQUIRE(plan.has_error());
  CHECK(has(plan.error().what, "must stay hidden"));
}

TEST_CASE("a folder that holds a home is not shown, and says so") {
  const Project project;
  HostView host;
  host.homes = {project.path("work")};
  const auto plan = plan_container(request_in(project.path("")), host);
  REQUIRE(plan.has_value());
  CHECK(plan->mounts.empty());
  CHECK(plan->working_directory.empty());
  REQUIRE(plan->notes.size() == 1);
  CHECK(has(plan->notes.front(), "is not shown"));
}

TEST_CASE("paths with commas and quotes stay one path") {
  const Project project;
  const std::string odd = project.path("work") + "/a,\"b:c";
  fs::create_directories(odd);
  CHECK(has(command_of(request_in(odd)), "/a,\"\"b:c\",\"destination="));
}

TEST_CASE("files are mounted read-only in their order") {
  const Project project;
  ContainerRequest request = request_in(project.path("work"));
  request.sandbox.files = {{"/run/egret/one", "1"}, {"/etc/two", "2"}};
  const std::string command = command_of(request);
  CHECK(has(command, "\"source=/files/file0\",\"destination=/run/egret/one\",ro "));
  CHECK(has(command, "\"source=/files/file1\",\"destination=/etc/two\",ro "));
}

TEST_CASE("a variable with a line break is refused, others are a line each") {
  ContainerRequest request;
  request.sandbox.environment = {{"A", " b=c #d "}, {"E", ""}};
  auto text = environment_file(request);
  REQUIRE(text.has_value());
  CHECK(*text == "A= b=c #d \nE=\n");
  request.sandbox.environment.emplace_back("KEY", "one\nPATH=/evil");
  text = environment_file(request);
  REQUIRE(text.has_error());
  CHECK(has(text.error().what, "KEY"));
}

}  // namespace egret::test
