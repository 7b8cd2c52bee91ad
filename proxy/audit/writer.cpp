#include "proxy/audit/writer.h"

#include <cerrno>
#include <utility>

#include "proxy/audit/json_text.h"
#include "proxy/audit/late.h"
#include "proxy/audit/record.h"

namespace egret {

AuditWriter::AuditWriter(AuditFile file, unsigned lanes, const AuditOptions& options)
    : options_(options), lanes_(lanes), file_(std::move(file)) {
  if (file_.last()) chain_ = *file_.last();
}

void AuditWriter::submit(unsigned lane, std::string body, AuditLog::Done done) {
  if (!done) done = [](Written) {};  // an empty one would look as if it had been called
  lanes_.push(lane,
              Entry{std::move(body), std::move(done), AuditClock::now(), EntryKind::decision, 0});
  signal(decision_waits);
  if (stalled_) watch_wakeup_.wake();
}

void AuditWriter::submit_end(unsigned lane, std::string body) {
  Entry entry{std::move(body), nullptr, AuditClock::now(), EntryKind::end, 0};
  if (lanes_.push_within(options_.kept_bytes_max / lanes_.count(), lane, std::move(entry))) {
    signal(end_waits);
  } else {
    ++lost_;
  }
}

void AuditWriter::stop() {
  stopping_ = true;
  writer_wakeup_.wake();
}

AuditCounters AuditWriter::counters() const {
  return AuditCounters{records_, refused_, lost_, failing_ || stalled_};
}

// Only the first of a kind since the writer last looked costs a system call.
void AuditWriter::signal(Signal what) {
  if ((signals_.fetch_or(what) & what) == 0) writer_wakeup_.wake();
}

void AuditWriter::run() {
  for (;;) {
    wait_for_work();
    work();
    if (stopping_) {
      const Time now = AuditClock::now();
      if (!stop_deadline_) stop_deadline_ = now + options_.drain_max;
      if (drained(now)) break;
    }
  }
  keep_waiting(lanes_.take_all());
}

bool AuditWriter::drained(Time now) const {
  if (now >= *stop_deadline_) return true;
  return !failing_ && kept_.empty() && signals_ == 0 && unreported_ == 0;
}

void AuditWriter::wait_for_work() {
  for (;;) {
    const unsigned signals = signals_;
    if ((signals & decision_waits) != 0) return;
    const Time now = AuditClock::now();
    if (failing_) {
      if (now >= next_try_) return;
      writer_wakeup_.wait(next_try_);
      continue;
    }
    if (stopping_) return;
    if ((signals & end_waits) != 0 && !ends_due_) ends_due_ = now + options_.end_wait_max;
    if (ends_due_ && now >= *ends_due_) return;
    writer_wakeup_.wait(ends_due_);
  }
}

void AuditWriter::work() {
  signals_ = 0;
  ends_due_.reset();
  std::vector<Entry> fresh = lanes_.take_all();
  const Time now = AuditClock::now();
  if (failing_ && now < next_try_) {
    keep_waiting(std::move(fresh));
    return;
  }
  assemble(std::move(fresh), now);
  const bool empty = flight_.empty();
  if (!empty && watch_dormant_.exchange(false)) watch_wakeup_.wake();
  AuditFile::Appended appended;
  std::vector<std::size_t> line_ends;
  const bool ready = file_ready(now);
  const Chain before = chain_;
  if (!ready) {
    appended.error = EIO;
  } else if (!empty) {
    text_ = render_flight(line_ends);
    appended = file_.append(text_, line_ends);
  }
  settle(appended, before, text_, line_ends);
}

// Rotation and removal. Asked before each write; the path is looked up at most every retry_every.
bool AuditWriter::file_ready(Time now) {
  const bool stream_lost = failing_ && file_.is_stream();
  bool gone = file_.removed() || stream_lost;
  if (!gone && now >= next_look_) {
    next_look_ = now + options_.retry_every;
    gone = file_.replaced();
  }
  if (!gone) return true;
  if (file_.reopen()) {
    next_look_ = now;
    return false;
  }
  // An older file was put back: its own chain goes on; else ours does, in a new file.
  if (file_.last()) chain_ = *file_.last();
  return true;
}

// A recovery is told of in front of everything else.
void AuditWriter::assemble(std::vector<Entry> fresh, Time now) {
  const std::lock_guard lock(flight_mutex_);
  flight_.clear();
  const std::uint64_t refused = unreported_;
  if (failing_ || refused > 0) {
    Entry report;
    report.kind = EntryKind::report;
    report.reported = refused;
    GateRecord record;
    record.time = std::chrono::system_clock::now();
    record.what = "recovered";
    record.detail = "decisions refused for want of a record";
    record.count = refused;
    render(record, report.body);
    flight_.push_back(std::move(report));
  }
  for (Entry& entry : kept_)
    flight_.push_back(std::move(entry));
  kept_.clear();
  kept_bytes_ = 0;
  for (Entry& entry : fresh)
    flight_.push_back(std::move(entry));
  if (!flight_.empty()) busy_since_ = now;
}

std::string AuditWriter::render_flight(std::vector<std::size_t>& line_ends) {
  constexpr std::size_t idle_bytes_max = 1U << 20U;
  std::string text = std::move(text_);
  if (text.capacity() > idle_bytes_max) text = std::string();
  text.assign(1, '\n');
  line_ends.reserve(flight_.size());
  for (const Entry& entry : flight_) {  // bodies are ours alone; the watchdog takes only `done`
    chain_.append(entry.body, file_.slot(), text);
    line_ends.push_back(text.size());
  }
  return text;
}

void AuditWriter::settle(const AuditFile::Appended& appended, const Chain& before,
                         std::string_view text, const std::vector<std::size_t>& line_ends) {
  const Time now = AuditClock::now();
  std::vector<AuditLog::Done> written;
  std::vector<Entry> unwritten;
  std::unique_lock lock(flight_mutex_);
  busy_since_.reset();
  stalled_ = false;
  std::vector<Entry> flight = std::move(flight_);
  flight_.clear();
  lock.unlock();

  if (appended.lines < flight.size()) {
    chain_ = before;
    if (appended.lines > 0) {
      const std::size_t end = line_ends[appended.lines - 1] - 1;
      const std::size_t begin = text.rfind('\n', end - 1) + 1;
      chain_ = Chain(before.seq + appended.lines, text.substr(begin, end - begin));
    }
  }
  records_ += appended.lines;
  failing_ = appended.error != 0;
  if (failing_) next_try_ = now + options_.retry_every;
  for (std::size_t i = 0; i < flight.size(); ++i) {
    Entry& entry = flight[i];
    const bool in_file = i < appended.lines;
    if (entry.kind == EntryKind::report) {
      if (in_file) unreported_ -= entry.reported;
    } else if (!in_file) {
      unwritten.push_back(std::move(entry));
    } else if (entry.kind == EntryKind::decision && entry.done) {
      written.push_back(std::move(entry.done));
    } else if (entry.kind == EntryKind::decision) {
      // The watchdog said no, and the line is there after all.
      Entry closing;
      closing.body = closing_record(entry.body, std::chrono::system_clock::now());
      if (!closing.body.empty()) keep(std::move(closing));
    }
  }
  for (auto& done : written)
    done(Written::yes);
  keep_waiting(std::move(unwritten));
  if (!failing_ && (!kept_.empty() || unreported_ > 0)) ends_due_ = now;
}

void AuditWriter::keep_waiting(std::vector<Entry> fresh) {
  std::vector<Entry> decisions;
  for (Entry& entry : fresh) {
    if (entry.kind == EntryKind::decision) {
      decisions.push_back(std::move(entry));
    } else {
      keep(std::move(entry));
    }
  }
  refuse(std::move(decisions));
}

void AuditWriter::keep(Entry entry) {
  if (kept_bytes_ + entry.body.size() > options_.kept_bytes_max) {
    ++lost_;
    return;
  }
  kept_bytes_ += entry.body.size();
  kept_.push_back(std::move(entry));
}

// Either thread. A decision without `done` was refused before.
void AuditWriter::refuse(std::vector<Entry> decisions) {
  for (Entry& entry : decisions) {
    if (!entry.done) continue;
    ++refused_;
    ++unreported_;
    entry.done(Written::no);
  }
}

}  // namespace egret
