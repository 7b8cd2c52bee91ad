// The origin connections of one worker, by pool key: sandbox, target and policy generation. One is
// never given to another sandbox or another name (ATTACKS C07). HTTP/1 connections rest here
// between their exchanges, HTTP/2 ones are shared by as many as they take.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "proxy/io/asio.h"
#include "proxy/io/http1_origin.h"
#include "proxy/io/http2_origin.h"

namespace egret {

class OriginPool {
 public:
  static constexpr std::size_t a_key_max = 16;
  static constexpr std::size_t all_max = 256;

  OriginPool(const Http1Limits& http1, const Http2Limits& http2, const OriginTimeouts& timeouts)
      : http1_(http1), http2_(http2), timeouts_(timeouts) {}

  // Says for its life that a connection is being looked for, which others may share.
  class Announced {
   public:
    Announced(OriginPool& pool, std::string key, const asio::any_io_executor& executor);
    ~Announced();
    Announced(const Announced&) = delete;
    Announced& operator=(const Announced&) = delete;

   private:
    OriginPool& pool_;
    std::string key_;
  };

  // An exchange on a connection that stands, or null: dial.
  std::unique_ptr<OriginExchange> reuse(const std::string& key, const std::string& method,
                                        HttpOffer offer);
  // The same on an HTTP/2 connection only.
  std::unique_ptr<OriginExchange> share(const std::string& key, const std::string& method);
  // The first exchange of a fresh connection.
  std::unique_ptr<OriginExchange> adopt(const std::string& key, const std::string& method,
                                        OriginStream origin);
  // Waits while somebody has announced a connection for this key. Only where it is not known that
  // the origin speaks HTTP/1 alone.
  Task<void> wait_for_announced(const std::string& key);
  // The exchange is over: keeps its connection where another may follow on it.
  void give_back(const std::string& key, std::unique_ptr<OriginExchange> exchange);
  // Closes what the origins have closed or what is too old. Call now and then.
  void prune();
  // Nothing of it is used again; exchanges that are going on end in peace.
  void clear();
  std::size_t size() const { return size_; }  // HTTP/1 connections that rest

 private:
  static constexpr std::size_t known_max = 4096;
  // Everybody who waits for one connection waits for this timer's end.
  struct Dial {
    explicit Dial(const asio::any_io_executor& executor) : over(executor) {}
    asio::steady_timer over;
    unsigned running = 0;
  };
  std::unordered_map<std::string, std::shared_ptr<Dial>> dials_;
  std::unordered_set<std::string> http1_only_;  // keys
  std::unordered_map<std::string, std::vector<std::unique_ptr<Http1OriginConnection>>> idle_;
  std::unordered_map<std::string, std::vector<std::shared_ptr<Http2OriginConnection>>> shared_;
  std::size_t size_ = 0;
  Http1Limits http1_;
  Http2Limits http2_;
  OriginTimeouts timeouts_;
};

}  // namespace egret
