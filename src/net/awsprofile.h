/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of Amazon's command line say of one profile: ~/.aws/credentials with [name] and
 * ~/.aws/config with [profile name] (AWS SDKs and Tools Reference Guide, "Shared config and
 * credentials files"). Keys and region only: no processes are run, no roles followed, no single
 * sign-on. Any thread.
 */
#pragma once
#include "net/sigv4.h"

typedef struct {
    AwsKeys keys; /* access_key NULL: the files have none for this profile */
    char *region; /* NULL: none */
} AwsProfile;
void aws_profile_clear(AwsProfile *profile);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(AwsProfile, aws_profile_clear)

/*
 * The credentials file comes first for keys. NULL for a file: the one in the home directory, which
 * need not exist; one that is named must. NULL for name: "default". BS_ERROR_USAGE: a file is no
 * such file, or has half of what keys are; BS_ERROR_NOT_FOUND: neither knows the name.
 */
bool aws_profile_load(const char *credentials_file, const char *config_file, const char *name,
                      AwsProfile *ret_profile, GError **error);
