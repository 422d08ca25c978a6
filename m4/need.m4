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

# PH_NEED_LIB(VARIABLE, LIBRARY, FUNCTION, DEBIAN PACKAGE): a library without
# pkg-config. VARIABLE gets what links it; nothing else is linked with it.
AC_DEFUN([PH_NEED_LIB], [
AC_CHECK_LIB([$2], [$3], [$1="-l$2"],
    [AC_MSG_ERROR([lib$2 is missing: on Debian, install the package $4])])
AC_SUBST([$1])
])

# PH_NEED_FUZZER: the compiler has libFuzzer.
AC_DEFUN([PH_NEED_FUZZER], [
AC_MSG_CHECKING([whether $CC has libFuzzer])
ph_cflags=$CFLAGS
CFLAGS="$CFLAGS -fsanitize=fuzzer"
AC_LINK_IFELSE([AC_LANG_SOURCE([[
#include <stddef.h>
int LLVMFuzzerTestOneInput(const unsigned char *p, size_t n);
int LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
	return p == NULL && n > 0;
}]])],
    [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR(m4_normalize([--enable-fuzz needs clang and its runtime:
        configure CC=clang; on Debian, install the packages clang and
        libclang-rt-14-dev]))])
CFLAGS=$ph_cflags
])
