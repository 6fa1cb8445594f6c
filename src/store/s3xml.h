/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the XML that S3 servers answer with: small documents of elements with text, whose order,
 * attributes and unknown elements do not matter. Pure.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* Called at the end of every element: its path, such as "ListBucketResult/Contents/Key", without
 * name spaces, and the text since the last tag. False with error set ends the reading. */
typedef bool (*S3XmlEach)(const char *path, const char *text, void *user, GError **error);

/* BS_ERROR_CORRUPT: no XML, not all of it, or deeper than anything that S3 says. */
bool s3_xml_read(const char *xml, size_t len, S3XmlEach each, void *user, GError **error);

/* Is the outermost element called so? Answers of a few bytes are looked at, not read. */
bool s3_xml_is(const char *xml, size_t len, const char *root);

/* Onto xml: <name>text</name>, escaped. */
void s3_xml_add(GString *xml, const char *name, const char *text);
