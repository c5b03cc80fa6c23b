#!/usr/bin/env bash
# Copies Apache Kafka's jars from Maven Central into a cache, once.
# Usage: fetch.sh     Prints the folder of jars. KAFKA_LIB overrides it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$here/pom.xml")
lib=${KAFKA_LIB:-${MOLDAU_TESTS_CACHE:-$HOME/.cache/moldau-tests}/kafka-$version/lib}
if [ ! -e "$lib/.complete" ]; then
  mkdir -p "$lib"
  mvn -B -q -f "$here/pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DoutputDirectory="$lib" -DincludeScope=runtime >&2
  touch "$lib/.complete"
fi
echo "$lib"
