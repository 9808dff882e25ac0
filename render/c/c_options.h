// SPDX-License-Identifier: MIT
// Converts the options of the C interface to those of the service.
#ifndef PAIRPORT_RENDER_C_OPTIONS_H_
#define PAIRPORT_RENDER_C_OPTIONS_H_

#include <cstddef>

#include <pairport/options.h>
#include <pairport/pairport.h>

#include "render/c/handles.h"

namespace pairport {

inline constexpr std::size_t kFirstOptions = PAIRPORT_SIZE_UP_TO(pairport_options, random_user);

// May throw std::bad_alloc.
pairport_options default_options();

// May throw std::bad_alloc. False: a null pointer with a length, or an unknown level of memory.
bool convert(const pairport_options& from, ServiceOptions& to);

}  // namespace pairport

#endif  // PAIRPORT_RENDER_C_OPTIONS_H_
