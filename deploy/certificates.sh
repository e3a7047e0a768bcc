#!/bin/sh
# Certificates for TLS between the nodes of a cluster, by an authority of its own:
#
#     deploy/certificates.sh FOLDER NODE=ADDRESS[,ADDRESS..]..
#
# FOLDER/NODE receives tls.crt, tls.key and ca.crt for one node. FOLDER/ca.key signs certificates of further nodes; keep it
# off the cluster. docs/tls.md has the variables for Ray.
set -eu
fail() { echo "error: $1" >&2; exit 2; }
[ $# -ge 2 ] || fail "usage: deploy/certificates.sh FOLDER NODE=ADDRESS[,ADDRESS..].."
folder=$1
shift
umask 077
days=365
# Longer than the certificates of nodes that are added later.
authority_days=3650
for node in "$@"; do
    case $node in
        *[!A-Za-z0-9.:,=-]* | =* | *= | *=*=* | .*) fail "a node is NAME=ADDRESS[,ADDRESS..], got '$node'" ;;
        *=*) ;;
        *) fail "a node is NAME=ADDRESS[,ADDRESS..], got '$node'" ;;
    esac
    [ ! -e "$folder/${node%%=*}" ] || fail "$folder/${node%%=*} exists; remove it to renew its certificate"
done
mkdir -p "$folder"
work=$(mktemp -d "$folder/new.XXXXXX")
trap 'rm -rf "$work"' EXIT

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

if [ ! -e "$folder/ca.key" ]; then
    [ ! -e "$folder/ca.crt" ] || fail "$folder/ca.crt has no key beside it; give another folder"
    key "$work/ca.key"
    openssl req -x509 -new -key "$work/ca.key" -sha256 -days $authority_days -subj "/CN=hedgesweep cluster" \
        -out "$work/ca.crt" \
        -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign"
    mv "$work/ca.crt" "$work/ca.key" "$folder"
fi
for node in "$@"; do
    name=${node%%=*}
    # A node also connects to itself.
    alternatives=DNS:localhost,IP:127.0.0.1
    for address in $(echo "${node#*=}" | tr , ' '); do
        case $address in
            *:* | [0-9]*.[0-9]*.[0-9]*.[0-9]*) alternatives=$alternatives,IP:$address ;;
            *) alternatives=$alternatives,DNS:$address ;;
        esac
    done
    mkdir "$work/$name"
    key "$work/$name/tls.key"
    printf '%s\n' "basicConstraints=critical,CA:FALSE" "keyUsage=critical,digitalSignature" \
        "extendedKeyUsage=serverAuth,clientAuth" "subjectKeyIdentifier=hash" "authorityKeyIdentifier=keyid" \
        "subjectAltName=$alternatives" > "$work/extensions"
    openssl req -new -key "$work/$name/tls.key" -subj "/CN=$name" -out "$work/request"
    openssl x509 -req -in "$work/request" -CA "$folder/ca.crt" -CAkey "$folder/ca.key" -sha256 -days $days \
        -set_serial "0x$(openssl rand -hex 16)" -extfile "$work/extensions" -out "$work/$name/tls.crt" 2> "$work/log" ||
        { cat "$work/log" >&2; fail "openssl made no certificate for $node"; }
    cp "$folder/ca.crt" "$work/$name"
    mv "$work/$name" "$folder"
done
