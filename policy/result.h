// Expected failure as a value: a Result holds either a T or the reason why there is none.
// Test it, then dereference it; value() is not used on the data path.
#pragma once

#include <boost/system/result.hpp>

namespace egret {

template <class T, class E>
using Result = boost::system::result<T, E>;

}  // namespace egret
