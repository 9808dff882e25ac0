// SPDX-License-Identifier: MIT
// A list of objects that belong to somebody else and hold their own links: nothing is allocated.
#ifndef PAIRPORT_INTRUSIVE_LIST_H_
#define PAIRPORT_INTRUSIVE_LIST_H_

namespace pairport {

// A member of each object, one for each list that the object may be in at a time.
template <typename T>
struct ListLinks {
  T* before = nullptr;
  T* behind = nullptr;
};

// Owns nothing. All bytes zero mean an empty list. An object is removed before it is destroyed or moved.
template <typename T, ListLinks<T> T::*kLinks>
struct IntrusiveList {
  T* first = nullptr;
  T* last = nullptr;

  bool empty() const noexcept { return first == nullptr; }
  // Puts `item` at the end. REQUIRES: it is in no list by these links
  void push(T& item) noexcept {
    (item.*kLinks) = {last, nullptr};
    (last != nullptr ? (last->*kLinks).behind : first) = &item;
    last = &item;
  }
  // REQUIRES: `item` is in this list
  void remove(T& item) noexcept {
    const ListLinks<T>& links = item.*kLinks;
    (links.before != nullptr ? (links.before->*kLinks).behind : first) = links.behind;
    (links.behind != nullptr ? (links.behind->*kLinks).before : last) = links.before;
  }
  // Moves the first one to the end, and returns it. REQUIRES: !empty()
  T& rotate() noexcept {
    T& item = *first;
    remove(item);
    push(item);
    return item;
  }
};

}  // namespace pairport

#endif  // PAIRPORT_INTRUSIVE_LIST_H_
