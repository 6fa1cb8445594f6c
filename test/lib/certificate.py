# SPDX-License-Identifier: Apache-2.0
"""A certificate for a name or address, signed by itself: (certificate, key), PEM files in a directory."""
import subprocess


def make(directory, name, subject_alt, days=2):
    certificate, key = '%s/%s.crt' % (directory, name), '%s/%s.key' % (directory, name)
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                    '-subj', '/CN=' + name, '-addext', 'subjectAltName=' + subject_alt, '-days', str(days),
                    '-keyout', key, '-out', certificate], check=True, capture_output=True)
    return certificate, key
