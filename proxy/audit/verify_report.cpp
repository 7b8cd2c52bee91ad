// `egret audit verify`: what the verifier found, for people and for programs.
#include <nlohmann/json.hpp>

#include "proxy/audit/line_source.h"
#include "proxy/audit/reader.h"
#include "proxy/audit/slot.h"
#include "proxy/audit/verify.h"

namespace egret {
namespace {

std::string counted(std::size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string text_of(const Verifier& found) {
  std::string text;
  for (const auto& [slot, span] : found.spans()) {
    text += "writer " + std::to_string(slot) + ": " + counted(span.records, "record") + ", seq " +
            std::to_string(span.first_seq) + " to " + std::to_string(span.last_seq);
    if (span.first_seq > 1) text += " (continues an earlier file)";
    text += "\n";
  }
  for (const Cut& cut : found.cuts()) {
    text += "cut: the gate was cut after seq " + std::to_string(cut.seq) + " (line " +
            std::to_string(cut.line) + ", writer " + std::to_string(cut.slot) + "); " +
            counted(cut.open, "exchange") + (cut.open == 1 ? " has" : " have") + " no end\n";
  }
  if (found.torn() > 0) text += counted(found.torn(), "torn line") + ": a write broke off there\n";
  for (const ChainBreak& broken : found.breaks()) {
    text += "BROKEN (" + std::string(name(broken.kind)) + "), writer " +
            std::to_string(broken.slot) + ": " + broken.what + "\n";
  }
  if (found.breaks_left_out() > 0) {
    text += "and " + std::to_string(found.breaks_left_out()) + " more breaks\n";
  }
  if (found.records() == 0) text += "no records\n";
  text +=
      found.breaks().empty() ? "every chain is intact\n" : "the file is NOT as it was written\n";
  return text;
}

std::string json_of(const Verifier& found) {
  using Json = nlohmann::ordered_json;
  Json chains = Json::array();
  for (const auto& [slot, span] : found.spans()) {
    chains.push_back({{"w", slot},
                      {"records", span.records},
                      {"first_seq", span.first_seq},
                      {"last_seq", span.last_seq}});
  }
  Json cuts = Json::array();
  for (const Cut& cut : found.cuts()) {
    cuts.push_back({{"w", cut.slot}, {"seq", cut.seq}, {"line", cut.line}, {"open", cut.open}});
  }
  Json breaks = Json::array();
  for (const ChainBreak& broken : found.breaks()) {
    breaks.push_back({{"w", broken.slot},
                      {"line", broken.line},
                      {"kind", name(broken.kind)},
                      {"text", broken.what}});
  }
  const Json all = {{"intact", found.breaks().empty()},
                    {"records", found.records()},
                    {"torn", found.torn()},
                    {"chains", chains},
                    {"cuts", cuts},
                    {"breaks", breaks},
                    {"breaks_left_out", found.breaks_left_out()}};
  return all.dump();
}

}  // namespace

Result<VerifyReport, AuditFault> audit_verify(const AuditQuery& query) {
  auto source = LineSource::open(query.file);
  if (!source) return source.error();
  Verifier verifier;
  while (const auto line = source->next())
    verifier.line(line->text, line->number);
  if (const auto line = source->rest()) verifier.line(line->text, line->number);
  verifier.finish([&source](unsigned slot) { return slot_held(source->fd(), slot); });
  VerifyReport report;
  report.intact = verifier.breaks().empty();
  report.records = verifier.records();
  report.text = text_of(verifier);
  report.json = json_of(verifier);
  return report;
}

}  // namespace egret
