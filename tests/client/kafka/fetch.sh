#!/usr/bin/env bash
# Copies Apache Kafka's jars from Maven Central into a cache, once.
# Usage: fetch.sh [pom|ecosystem]     Prints the folder of jars. KAFKA_LIB overrides that of pom.xml (the default);
# ecosystem.xml's holds all of pom.xml's jars too.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
pom=${1:-pom}
version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$here/pom.xml")
cached=${MOLDAU_TESTS_CACHE:-$HOME/.cache/moldau-tests}/kafka-$version
case $pom in
  pom) lib=${KAFKA_LIB:-$cached/lib} ;;
  ecosystem) lib=$cached/ecosystem ;;
  *) echo "fetch.sh: no $pom.xml" >&2; exit 2 ;;
esac
if [ ! -e "$lib/.complete" ]; then
  mkdir -p "$lib"
  mvn -B -q -f "$here/$pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DoutputDirectory="$lib" -DincludeScope=runtime >&2
  touch "$lib/.complete"
fi
echo "$lib"
