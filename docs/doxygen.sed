# SPDX-License-Identifier: BSL-1.0
# What Doxygen is shown of a public header.

# Names as users write them: the inline namespace is for the linker.
s/inline namespace v1 {//
s/^} \/\/ namespace v1$//

# tendril.h has plain C comments.
s/^\/\* SPDX.*//
s/^\/\* Tendril for C/\/** @file tendril.h @brief Tendril for C/
s/^\/\* \([A-Z]\)/\/** \1/
s/; \/\* /; \/**< /
