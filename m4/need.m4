# SPDX-License-Identifier: ISC
# A library that is missing is named by the Debian package that has it.

# PH_NEED_PKG(VARIABLE, PKG-CONFIG SPEC, DEBIAN PACKAGE)
AC_DEFUN([PH_NEED_PKG], [
PKG_CHECK_MODULES([$1], [$2], [],
    [AC_MSG_ERROR([$2 is missing: on Debian, install the package $3])])
])

# PH_NEED_HEADER(HEADER, DEBIAN PACKAGE)
AC_DEFUN([PH_NEED_HEADER], [
AC_CHECK_HEADER([$1], [],
    [AC_MSG_ERROR([$1 is missing: on Debian, install the package $2])],
    [#include <stddef.h>
     #include <sys/types.h>
     #include <netinet/in.h>])
])
