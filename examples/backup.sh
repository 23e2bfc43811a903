#!/bin/sh
# A script as there are many: `nfo import examples/backup.sh` makes it a job.
set -eu
mkdir -p data backup
i=0
while [ "$i" -lt 5 ]; do
	echo "record $i" > "data/$i.txt"
	i=$((i + 1))
done
tar czf backup/data.tgz -C data .
tar tzf backup/data.tgz | sort
echo "backed up $i records"
