// SPDX-License-Identifier: MIT
// The implementation of the opaque types of the C interface.
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
#include <pairport/secret_memory.h>
#include <pairport/service.h>

#include "core/memory/secret_pool.h"

namespace pairport {

// Room for a body. All of it is wiped, because the caller writes to it directly.
struct BodyBuffer {
  std::array<char, PAIRPORT_MAX_BODY> bytes;
  ~BodyBuffer() { wipe(bytes.data(), bytes.size()); }
};

// The handle that C code holds for an object in secret memory. The handle is in ordinary memory, which a forked child
// inherits: a call in the child finds the service there and fails, without touching secret memory.
template <typename T>
struct Handle {
  using Object = T;
  pairport_service* owner = nullptr;
  typename SecretPool<T>::Pointer object;
  Handle* next = nullptr;  // while it is free
};

// A pool of objects with their handles. The first kOwn handles are members, so that a common number of them needs no
// allocation.
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
                            std::unique_ptr<pairport::ElsewhereStore> other_store,
                            std::unique_ptr<pairport::PathHandler> path_handler,
                            std::unique_ptr<pairport::Service> created) noexcept
      : random(std::move(source)),
        elsewhere(std::move(other_store)),
        paths(std::move(path_handler)),
        service(std::move(created)),
        responses(service->minimum_level()),
        buffers(service->minimum_level()) {}

  std::unique_ptr<pairport::RandomSource> random;
  std::unique_ptr<pairport::ElsewhereStore> elsewhere;  // null: the service has its store
  std::unique_ptr<pairport::PathHandler> paths;         // may be null
  std::unique_ptr<pairport::Service> service;
  pairport::HandlePool<pairport_response> responses;
  pairport::HandlePool<pairport_buffer> buffers;
};

namespace pairport {

// Whether `service` is not null and was created by this process, not by its parent.
inline bool is_usable(const pairport_service* service) noexcept {
  return service != nullptr && !service->service->is_inherited();
}

// The object of a handle; null for a null handle, or when its service belongs to the parent process.
template <typename T>
T* object_of(const Handle<T>* handle) noexcept {
  return handle == nullptr || !is_usable(handle->owner) ? nullptr : handle->object.get();
}

// The size of a structure in its first version: up to the last member of that version. This remains the smallest
// accepted size. Not sizeof(), because that grows with each appended member, and older programs would be refused then.
#define PAIRPORT_SIZE_UP_TO(type, member) (offsetof(type, member) + sizeof(type::member))

}  // namespace pairport

#endif  // PAIRPORT_RENDER_HANDLES_H_
