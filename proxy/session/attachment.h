// One worker's part of an attached namespace: everything that it has open here, so that a detach
// can end all of it. Lives on that worker's thread.
#pragma once

#include <memory>
#include <unordered_set>

namespace egret {

class AttachmentPart {
 public:
  // Something that ends when the namespace is detached: an accept loop, a connection.
  class Member {
   public:
    virtual void detached() = 0;  // must not destroy any member at once

   protected:
    ~Member() = default;
  };

  void add(Member& member) { members_.insert(&member); }
  void remove(Member& member) { members_.erase(&member); }
  bool ended() const { return ended_; }

  void end() {
    ended_ = true;
    const std::unordered_set<Member*> now = members_;
    for (Member* member : now)
      member->detached();
  }

 private:
  std::unordered_set<Member*> members_;
  bool ended_ = false;
};

// Null where nothing is ever detached: a listener of the file.
using AttachmentPartPtr = std::shared_ptr<AttachmentPart>;

}  // namespace egret
