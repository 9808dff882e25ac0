// SPDX-License-Identifier: MIT
#include "render/http/header_blocks.h"

#include <iterator>
#include <utility>

namespace pairport {

HeaderBlock block(Headers headers, std::string cache_control, Audience audience) {
  Headers all;
  if (audience == Audience::kEveryOrigin) {
    all = {{"Access-Control-Allow-Origin", "*"}, {"Access-Control-Expose-Headers", "Retry-After, ETag"}};
  }
  all.insert(all.end(), {{"X-Content-Type-Options", "nosniff"},
                         {"Referrer-Policy", "no-referrer"},
                         {"Cache-Control", std::move(cache_control)}});
  all.insert(all.end(), std::make_move_iterator(headers.begin()), std::make_move_iterator(headers.end()));
  return HeaderBlock(all);
}

}  // namespace pairport
