// What a runtime tells the hook.
#include "proxy/server/oci_state.h"

#include <doctest/doctest.h>

namespace egret::test {

TEST_CASE("the state names the container, its process and its sandbox") {
  const auto state = read_oci_state(
      R"({"ociVersion":"1.0.2-dev","id":"c0ffee","status":"created","pid":4711,"bundle":"/b",
          "annotations":{"io.podman.annotations.init":"FALSE","egret.sandbox":"web"}})");
  REQUIRE(state.has_value());
  CHECK(state->id == "c0ffee");
  CHECK(state->pid == 4711);
  CHECK(state->sandbox == "web");
}

TEST_CASE("a state that does not say all of it is refused with the reason") {
  struct Case {
    const char* json;
    const char* says;
  };
  for (const Case& one : {
           Case{"", "not a JSON object"},
           Case{"[1]", "not a JSON object"},
           Case{R"({"id":"a","pid":1,)", "not a JSON object"},
           Case{R"({"pid":1,"annotations":{"egret.sandbox":"web"}})", "no id"},
           Case{R"({"id":7,"pid":1,"annotations":{"egret.sandbox":"web"}})", "no id"},
           Case{R"({"id":"a","annotations":{"egret.sandbox":"web"}})", "no process"},
           Case{R"({"id":"a","pid":0,"annotations":{"egret.sandbox":"web"}})", "no process"},
           Case{R"({"id":"a","pid":-1,"annotations":{"egret.sandbox":"web"}})", "no process"},
           Case{R"({"id":"a","pid":"1","annotations":{"egret.sandbox":"web"}})", "no process"},
           Case{R"({"id":"a","pid":99999999999,"annotations":{"egret.sandbox":"web"}})",
                "no process"},
           Case{R"({"id":"a","pid":1.5,"annotations":{"egret.sandbox":"web"}})", "no process"},
           Case{R"({"id":"a","pid":1})", "no annotation"},
           Case{R"({"id":"a","pid":1,"annotations":null})", "no annotation"},
           Case{R"({"id":"a","pid":1,"annotations":{"egret.sandbox":""}})", "no annotation"},
           Case{R"({"id":"a","pid":1,"annotations":{"egret.sandbox":["web"]}})", "no annotation"},
       }) {
    CAPTURE(one.json);
    const auto state = read_oci_state(one.json);
    REQUIRE(state.has_error());
    CHECK(state.error().what.find(one.says) != std::string::npos);
  }
}

}  // namespace egret::test
