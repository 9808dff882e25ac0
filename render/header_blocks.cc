// SPDX-License-Identifier: MIT
#include "header_blocks.h"

namespace pairport {

HeaderBlock block(Headers headers, std::string cache_control) {
  headers.insert(headers.begin(), {{"Access-Control-Allow-Origin", "*"},
                                   {"X-Content-Type-Options", "nosniff"},
                                   {"Referrer-Policy", "no-referrer"},
                                   {"Cache-Control", std::move(cache_control)}});
  return HeaderBlock(headers);
}

}  // namespace pairport
