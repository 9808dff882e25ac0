// SPDX-License-Identifier: MIT
// A list of objects that hold their own links. It never allocates, and owns nothing.
#ifndef PAIRPORT_INTRUSIVE_LIST_H_
#define PAIRPORT_INTRUSIVE_LIST_H_

namespace pairport {

// A member of each object, one for each list that may hold the object at a time.
template <typename T>
struct ListLinks {
  T* before = nullptr;
  T* behind = nullptr;
};

// All bytes zero mean an empty list. Remove an object before you destroy or move it.
template <typename T, ListLinks<T> T::*kLinks>
struct IntrusiveList {
  T* first = nullptr;
  T* last = nullptr;

  bool empty() const noexcept { return first == nullptr; }
  // Adds `item` to the end. REQUIRES: these links of `item` are in no list
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
  // Moves the first item to the end, and returns it. REQUIRES: !empty()
  T& rotate() noexcept {
    T& item = *first;
    remove(item);
    push(item);
    return item;
  }
};

}  // namespace pairport

#endif  // PAIRPORT_INTRUSIVE_LIST_H_
