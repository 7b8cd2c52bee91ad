// Which of podman's options a person may hand on.
#include "sandbox-glue/container/options.h"

#include <doctest/doctest.h>

namespace egret::test {

TEST_CASE("an option is read in the ways that people write one") {
  struct Case {
    const char* given;
    const char* handed_on;
  };
  for (const Case& one : {Case{"--memory=2g", "--memory=2g"}, Case{"memory=2g", "--memory=2g"},
                          Case{"--memory 2g", "--memory=2g"}, Case{"--read-only", "--read-only"},
                          Case{"label=a=b", "--label=a=b"},
                          Case{"security-opt=label=disable", "--security-opt=label=disable"}}) {
    CAPTURE(one.given);
    const auto options = container_options({one.given});
    REQUIRE(options.has_value());
    CHECK(*options == std::vector<std::string>{one.handed_on});
  }
}

TEST_CASE("what could open the network or the host is refused, and so is what is not known") {
  for (const char* given : {"--network=host",
                            "net=host",
                            "--privileged",
                            "privileged=true",
                            "--cap-add=ALL",
                            "--pid=host",
                            "--ipc=host",
                            "--uts=host",
                            "--userns=auto",
                            "-v=/:/host",
                            "--volume /:/host",
                            "--mount=type=bind,source=/,destination=/host",
                            "--device=/dev/kvm",
                            "--security-opt=seccomp=unconfined",
                            "--security-opt=label=disable,seccomp=unconfined",
                            "--security-opt",
                            "--env-host",
                            "--http-proxy",
                            "--annotation=run.oci.x=y",
                            "--volumes-from=other",
                            "--rootfs",
                            "--a-new-option",
                            "",
                            "--",
                            "--memory=1\n--privileged",
                            "MEMORY=1g"}) {
    CAPTURE(given);
    const auto options = container_options({"--cpus=1", given});
    REQUIRE(options.has_error());
    CHECK(options.error().find(given) != std::string::npos);
  }
}

TEST_CASE("an option of a name is found, also by how its value begins") {
  const std::vector<std::string> options = {"--ulimit=nofile=1:1", "--init"};
  CHECK(has_option(options, "init"));
  CHECK(has_option(options, "ulimit", "nofile="));
  CHECK_FALSE(has_option(options, "ulimit", "nproc="));
  CHECK_FALSE(has_option(options, "ini"));
}

}  // namespace egret::test
