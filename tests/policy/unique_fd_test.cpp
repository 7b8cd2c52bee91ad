// One owner of a descriptor: closed exactly once, whichever way ownership went.
#include "policy/unique_fd.h"

#include <fcntl.h>

#include <doctest/doctest.h>

using namespace egret;

namespace {

int opened() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

}  // namespace

TEST_CASE("a descriptor is closed when its owner goes, and by nobody whom it left") {
  const int first = opened();
  const int second = opened();
  {
    UniqueFd one(first);
    UniqueFd two(std::move(one));
    CHECK_FALSE(one);
    CHECK(two.get() == first);
    UniqueFd three(second);
    three = std::move(two);
    CHECK_MESSAGE(!is_open(second), "what an owner held before is closed at once");
    CHECK(is_open(first));
  }
  CHECK_FALSE(is_open(first));
}

TEST_CASE("a descriptor given away stays open") {
  UniqueFd owner(opened());
  const int fd = owner.release();
  owner.reset();
  CHECK(is_open(fd));
  CHECK_FALSE(owner);
  ::close(fd);
}
