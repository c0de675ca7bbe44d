# SPDX-License-Identifier: MIT OR Apache-2.0
# Debian's C clients of xenstore with our daemon.
check write xenstore-write /test/a 1 /test/b/c "two words"
same read "$(xenstore-read /test/a /test/b/c | tr '\n' '|')" "1|two words|"
same read-path "$(xenstore-read -p /test/a)" "/test/a: 1"
same list "$(xenstore-list /test | sort | tr '\n' ' ')" "a b "
same ls "$(xenstore-ls /test | tr '\n' '|')" 'a = "1"|b = ""| c = "two words"|'
same ls-flat "$(xenstore-ls -f /test | tr '\n' '|')" '/test/a = "1"|/test/b = ""|/test/b/c = "two words"|'
check exists xenstore-exists /test/b/c
xenstore-exists /test/none && bad exists-not || ok exists-not
check chmod xenstore-chmod /test/a n0 r1
same chmod-shown "$(xenstore-ls -f -p /test | grep '/test/a ' | tr -s ' .' ' ')" '/test/a = "1" (n0,r1)'
check chmod-recursive xenstore-chmod -r /test n0 b2
same chmod-below "$(xenstore-ls -f -p /test | grep '/test/b/c ' | grep -o '(.*)')" '(n0,b2)'
xenstore-read /test/none >/tmp/out 2>&1 && bad read-not || grep -q "couldn't read path /test/none" /tmp/out && ok read-not || bad "read-not: $(cat /tmp/out)"
xenstore-watch -n 3 /test/a >/tmp/watched &
watcher=$!
# A watch is told of its own beginning first.
within 10 grep -q /test/a /tmp/watched
xenstore-write /test/a 2
xenstore-rm /test/a
wait $watcher
same watch "$(tr '\n' ' ' </tmp/watched)" "/test/a /test/a /test/a "
xenstore-exists /test/a && bad rm || ok rm
long=$(head -c 2000 /dev/zero | tr '\0' x)
check write-long xenstore-write /test/long "$long"
same read-long "$(xenstore-read /test/long)" "$long"
# What bytes a value may have, and how they are shown
same escaped "$(xenstore-write /test/e 'a\x01\tb'; xenstore-read /test/e)" 'a\001\tb'
same raw "$(xenstore-read -R /test/e | od -An -tx1 | tr -d ' \n')" 61010962
check tidy xenstore-rm -t /test/b/c
xenstore-rm /test
xenstore-exists /test && bad rm-tree || ok rm-tree
# More of a tree than one message holds
n=0; while [ $n -lt 400 ]; do names="$names /many/a-rather-long-name-of-a-node-$n $n"; n=$((n + 1)); done
check write-many xenstore-write $names
same list-many "$(xenstore-list /many | wc -l)" 400
same ls-many "$(xenstore-ls -f /many | wc -l)" 400
xenstore-rm /many
# Beside a domain
tiny t
check create xn create -q /tmp/t.cfg
id=$(xn domid t)
same name "$(xenstore-read /local/domain/$id/name)" t
same console-type "$(xenstore-read /local/domain/$id/console/type)" xenconsoled
xenstore-ls /local/domain/$id | grep -q ring-ref && ok ls-domain || bad ls-domain
check destroy xn destroy t
xenstore-exists /local/domain/$id && bad released || ok released
# Ours say the same as theirs.
xn store write /both/x 5
same both "$(xenstore-ls -f / | sort | md5sum)" "$(xn store ls -f / | sort | md5sum)"
xn store rm /both
