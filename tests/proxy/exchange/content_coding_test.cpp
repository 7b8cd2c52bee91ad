// Which codings a message names, and which are offered to an origin.
#include "proxy/exchange/content_coding.h"

#include "tests/proxy/exchange/coded.h"
#include "tests/proxy/exchange/scene.h"

using namespace egret;
using namespace egret::test;

namespace {

FieldList fields_of(const std::string& name, const std::vector<std::string>& values) {
  FieldList fields;
  for (const std::string& value : values)
    fields.add(name, value);
  return fields;
}

std::string told(const std::vector<std::string>& values) {
  const ContentCodings codings = content_codings(fields_of("content-encoding", values));
  if (!codings.readable) return "unreadable";
  std::string out;
  for (const Coding coding : codings.applied)
    out += std::string(out.empty() ? "" : " ") + std::string(name_of(coding));
  return codings.is_identity() ? "identity" : out;
}

}  // namespace

TEST_CASE("the codings of a message are read in the order in which they were applied") {
  struct {
    std::vector<std::string> values;
    const char* codings;
  } const rows[] = {
      {{}, "identity"},
      {{""}, "identity"},
      {{"Identity"}, "identity"},
      {{"gzip"}, "gzip"},
      {{"X-GZIP"}, "gzip"},
      {{"deflate"}, "deflate"},
      {{"br"}, "br"},
      {{"zstd"}, "zstd"},
      {{"identity, br"}, "br"},
      {{"gzip, br"}, "gzip br"},
      {{"gzip", " br\t"}, "gzip br"},
      {{"gzip,,br,"}, "gzip br"},
      {{"gzip, gzip"}, "gzip gzip"},
      {{"gzip, br, gzip"}, "unreadable"},
      {{"compress"}, "unreadable"},
      {{"aws-chunked"}, "unreadable"},
      {{"gzip, dcb"}, "unreadable"},
      {{"gzip;q=1"}, "unreadable"},
      {{"gzip br"}, "unreadable"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.codings);
    CHECK(told(row.values) == row.codings);
  }
}

TEST_CASE("an origin is offered what the client takes and the gate can read") {
  struct {
    std::vector<std::string> values;
    const char* offer;
  } const rows[] = {
      {{}, "identity"},
      {{""}, "identity"},
      {{"gzip, deflate, br, zstd"}, "gzip, deflate, br, zstd"},
      {{"GZIP;Q=0.5, Br;q=1.0"}, "gzip;q=0.5, br;q=1.0"},
      {{"gzip ; q=0.5"}, "gzip;q=0.5"},
      {{"compress, dcb, dcz"}, "identity"},
      {{"compress, gzip"}, "gzip"},
      {{"gzip", "br;q=0.1"}, "gzip, br;q=0.1"},
      {{"gzip;q=0"}, "identity"},
      {{"gzip, identity;q=0"}, "gzip, identity;q=0"},
      {{"identity"}, "identity"},
      {{"gzip;q=1x"}, "identity"},
      {{"gzip;level=9, br"}, "br"},
      {{"*"}, "gzip, deflate, br, zstd"},
      {{"br;q=0, *;q=0.3"}, "br;q=0, gzip;q=0.3, deflate;q=0.3, zstd;q=0.3"},
      {{"gzip, *;q=0"}, "gzip"},
      {{"x-gzip"}, "x-gzip"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.offer);
    CHECK(readable_offer(fields_of("accept-encoding", row.values)) == row.offer);
  }
}
