// SPDX-License-Identifier: MIT
// What is behind the opaque types of the C interface.
#ifndef PAIRPORT_RENDER_HANDLES_H_
#define PAIRPORT_RENDER_HANDLES_H_

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <utility>

#include <pairport/http.h>
#include <pairport/pairport.h>
#include <pairport/random.h>
#include <pairport/secret_memory.h>
#include <pairport/service.h>

#include "core/memory/secret_pool.h"

namespace pairport {

// Room for a body. Wiped as a whole, because the caller writes to it directly.
struct BodyBuffer {
  std::array<char, PAIRPORT_MAX_BODY> bytes;
  ~BodyBuffer() { wipe(bytes.data(), bytes.size()); }
};

// The object that C holds in place of one in secret memory. It lies in ordinary memory, which a forked child inherits:
// a call in the child finds the service there and fails, without touching secret memory.
template <typename T>
struct Handle {
  using Object = T;
  pairport_service* owner = nullptr;
  typename SecretPool<T>::Pointer object;
  Handle* next = nullptr;  // while it is free
};

// A pool of objects with their handles. The first kOwn handles are members, so that a usual number allocates nothing.
template <typename H>
class HandlePool {
 public:
  explicit HandlePool(SecretLevel minimum) noexcept : minimum_(minimum), objects_(minimum) {
    for (H& handle : own_) keep(&handle);
  }
  HandlePool(const HandlePool&) = delete;
  HandlePool& operator=(const HandlePool&) = delete;

  int acquire(pairport_service* owner, H** acquired) noexcept {
    H* const handle = free_ != nullptr ? free_ : new (std::nothrow) H;
    if (handle == nullptr) return PAIRPORT_OUT_OF_MEMORY;
    if (handle == free_) free_ = static_cast<H*>(handle->next);
    handle->owner = owner;
    handle->object = objects_.acquire();
    if (handle->object == nullptr) {
      give_back(handle);
      return minimum_ == SecretLevel::kPlain ? PAIRPORT_OUT_OF_MEMORY : PAIRPORT_MEMORY_NOT_LOCKED;
    }
    *acquired = handle;
    return PAIRPORT_OK;
  }
  void release(H* handle) noexcept {
    handle->object.reset();
    give_back(handle);
  }

 private:
  static constexpr std::size_t kOwn = 64;

  void keep(H* handle) noexcept {
    handle->next = free_;
    free_ = handle;
  }
  void give_back(H* handle) noexcept {
    const std::less<const H*> before;
    if (before(handle, own_.data()) || !before(handle, own_.data() + kOwn)) {
      delete handle;
    } else {
      keep(handle);
    }
  }

  SecretLevel minimum_;
  SecretPool<typename H::Object> objects_;
  std::array<H, kOwn> own_;
  H* free_ = nullptr;
};

}  // namespace pairport

struct pairport_response : pairport::Handle<pairport::Response> {};
struct pairport_buffer : pairport::Handle<pairport::BodyBuffer> {};

struct pairport_service {
  explicit pairport_service(std::unique_ptr<pairport::RandomSource> source,
                            std::unique_ptr<pairport::Service> created) noexcept
      : random(std::move(source)),
        service(std::move(created)),
        responses(service->minimum_level()),
        buffers(service->minimum_level()) {}

  std::unique_ptr<pairport::RandomSource> random;
  std::unique_ptr<pairport::Service> service;
  pairport::HandlePool<pairport_response> responses;
  pairport::HandlePool<pairport_buffer> buffers;
};

namespace pairport {

// Whether `service` is not null and was created by this process, not by its parent.
inline bool is_usable(const pairport_service* service) noexcept {
  return service != nullptr && !service->service->is_inherited();
}

// The object of a handle; null without one, or when its service belongs to the parent process.
template <typename T>
T* object_of(const Handle<T>* handle) noexcept {
  return handle == nullptr || !is_usable(handle->owner) ? nullptr : handle->object.get();
}

// The size of a structure in the first version that had it: up to the last member that it had then. It is the smallest
// size that is accepted, for ever. Not sizeof(), which grows with each appended member and would then refuse programs
// that are compiled already.
#define PAIRPORT_SIZE_UP_TO(type, member) (offsetof(type, member) + sizeof(type::member))

}  // namespace pairport

#endif  // PAIRPORT_RENDER_HANDLES_H_
