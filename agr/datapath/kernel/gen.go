package kernel

// The object that clang makes of bpf/agr.c is part of the repository, so that
// nobody needs a C compiler to build the programs. It comes out the same octet by
// octet on every Debian 12, amd64 or arm64, and wherever the repository lies;
// make generate makes it, and .ci/run compares. Hence a clang with its version,
// and the headers of asm/ where either architecture has them (a directory that is
// not there is passed over).
//
// Two values of different sizes must not share a place on the stack: a daemon
// without CAP_PERFMON could not load that.
//
//go:generate go tool -modfile=../../../tools/go.mod bpf2go -target bpfel -cc clang-14 -strip llvm-strip-14 -type port_flags -type hash_mode agr bpf/agr.c -- -O2 -mcpu=v3 -mllvm -no-stack-slot-sharing -Wall -Wextra -Werror -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include/aarch64-linux-gnu
