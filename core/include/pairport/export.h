/* SPDX-License-Identifier: MIT */
/* The symbols that the shared libraries export. The libraries are compiled with hidden visibility, so a symbol without
 * PAIRPORT_EXPORT stays inside its library. For C and C++. */
#ifndef PAIRPORT_EXPORT_H_
#define PAIRPORT_EXPORT_H_

/* For a function, or for all members of a class. */
#define PAIRPORT_EXPORT __attribute__((visibility("default")))
/* For an internal member of an exported class. */
#define PAIRPORT_LOCAL __attribute__((visibility("hidden")))

#endif /* PAIRPORT_EXPORT_H_ */
