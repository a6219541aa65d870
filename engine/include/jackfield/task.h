// The one coroutine type. A handler that must wait is a coroutine that returns Task<bool>; everything runs on the engine thread.
// Coroutine parameters by value, no capturing lambdas as coroutines, name temporaries before co_await (g++ 12).
#pragma once

#include <boost/asio/awaitable.hpp>

namespace jackfield {

template <class T = void>
using Task = boost::asio::awaitable<T>;

}  // namespace jackfield
