// The parts of Boost.Asio that Egret uses, and its words for them.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

namespace egret {

namespace asio = boost::asio;
using boost::system::error_code;

template <class T>
using Task = asio::awaitable<T>;

using StreamSocket = asio::generic::stream_protocol::socket;

}  // namespace egret
