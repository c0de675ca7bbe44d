# SPDX-License-Identifier: MIT OR Apache-2.0
# What can go wrong in a creation: one message, a documented status, and nothing left behind.
# refused WORD STATUS "TEXT THAT MUST BE IN THE MESSAGE" COMMAND...
refused() {
    word=$1; wanted=$2; text=$3; shift 3
    "$@" >/tmp/out 2>/tmp/err; status=$?
    echo "note $word: $status: $(cat /tmp/err)"
    [ $status = $wanted ] || { bad "$word: status $status, not $wanted: $(cat /tmp/err)"; return; }
    [ "$(wc -l </tmp/err)" = 1 ] || { bad "$word: not one message: $(tr '\n' '|' </tmp/err)"; return; }
    grep -q '^xn: ' /tmp/err && grep -qi "$text" /tmp/err && grep -q ';' /tmp/err || { bad "$word: message without cause '$text' or remedy: $(cat /tmp/err)"; return; }
    ok "$word"
}
# clean WORD: everything is as it was in the beginning
clean() { settled /tmp/before && ok "$1-clean" || { counts >/tmp/after; bad "$1-clean: $(diff /tmp/before /tmp/after | tr '\n' '|')"; }; }

truncate -s 16M /tmp/disk
full="disk = ['/tmp/disk,raw,xvda,w']
vif = ['bridge=xenbr0']"
# The first domain makes folders of the store that stay.
linux first 96 1 quiet "$full"
check first xn create -q /tmp/first.cfg
ready first || bad first-ready
xn destroy first
at_rest /tmp/before

linux big 60000 1 quiet "$full"
refused no-memory 5 memory xn create /tmp/big.cfg
clean no-memory
linux nokernel 96 1 quiet "$full"
sed -i 's,/boot/guest/vmlinuz.*",/boot/guest/absent",' /tmp/nokernel.cfg
refused missing-kernel 9 absent xn create /tmp/nokernel.cfg
clean missing-kernel
linux damaged 96 1 quiet "$full"
head -c 900000 /boot/guest/initrd-6.1 >/tmp/damaged.gz
sed -i 's,/boot/guest/initrd.*",/tmp/damaged.gz",' /tmp/damaged.cfg
refused damaged-ramdisk 9 damaged.gz xn create /tmp/damaged.cfg
clean damaged-ramdisk
linux nodisk 96 1 quiet "disk = ['/tmp/absent.img,raw,xvda,w']
vif = ['bridge=xenbr0']"
refused absent-disk 9 absent.img xn create /tmp/nodisk.cfg
clean absent-disk
linux nobridge 96 1 quiet "disk = ['/tmp/disk,raw,xvda,w']
vif = ['bridge=nobridge']"
refused no-bridge 8 nobridge xn create /tmp/nobridge.cfg
clean no-bridge
printf 'name = "wrong"\nmemroy = 96\nkernel = "/boot/guest/vmlinuz-6.1"\n' >/tmp/wrong.cfg
xn create /tmp/wrong.cfg 2>/tmp/err; same wrong-config-status $? 2
grep -q 'wrong.cfg:2:1' /tmp/err && grep -q memory /tmp/err && ok wrong-config || bad "wrong-config: $(cat /tmp/err)"

# The name is taken: the second one fails, the first one lives on.
tiny twice
check twice-first xn create -q /tmp/twice.cfg
refused name-in-use 4 twice xn create /tmp/twice.cfg
says twice 'XENOLITH-DOMU up' 20 && ok name-first-lives || bad name-first-lives
xn destroy twice
clean name-in-use

# A guest that never connects to its devices costs a hot-plug its time, and goes without a trace.
tiny mute
echo "$full" >>/tmp/mute.cfg
check mute xn create -q /tmp/mute.cfg
truncate -s 16M /tmp/disk2
xn block-attach mute /tmp/disk2,raw,xvdb,w >/tmp/out 2>&1; echo "note never-connects: $? $(cat /tmp/out)"
check mute-destroy xn destroy mute
clean never-connects

# One that panics: its last words are in the log, and on_crash does what it says.
for action in destroy preserve restart; do
    linux panic 96 1 "quiet xt.do=panic panic=-1" "$full
on_crash = '$action'"
    rm -f $(log panic)
    check panic-$action xn create -q /tmp/panic.cfg
    id=$(xn domid panic)
    within 60 grep -q 'Kernel panic' $(log panic) && ok panic-words-$action || bad "panic-words-$action: $(tail -n 5 $(log panic))"
    case $action in
    destroy) within 30 gone panic && ok on-crash-destroy || bad "on-crash-destroy: $(xn list)" ;;
    preserve)
        crashed() { xn list panic | awk 'NR == 2 { exit $5 !~ /c/ }'; }
        within 30 crashed && ok on-crash-preserve || bad "on-crash-preserve: $(xn list)"
        ;;
    restart)
        again() { [ "$(xn domid panic 2>/dev/null)" != "$id" ] && xn domid panic; }
        within 60 again && ok on-crash-restart || bad "on-crash-restart: $(xn list)"
        ;;
    esac
    # One that restarts is between two lives now and then.
    [ $action = destroy ] || within 30 xn destroy panic || bad "destroy after $action"
    within 10 gone panic || xn destroy panic
    clean panic-$action
done

# on_poweroff and on_reboot
linux ends 96 1 "quiet xt.do=exit" "$full"
check ends xn create -q /tmp/ends.cfg
within 60 gone ends && ok on-poweroff || bad "on-poweroff: $(xn list)"
clean on-poweroff
linux again 96 1 "quiet xt.do=reboot" "$full"
check again xn create -q /tmp/again.cfg
id=$(xn domid again)
next() { new=$(xn domid again 2>/dev/null) && [ "$new" != "$id" ]; }
within 60 next && ok on-reboot || bad "on-reboot: $(xn list)"
sed -i "s/xt.do=reboot/quiet/" /tmp/again.cfg
within 30 xn destroy again
within 10 gone again || xn destroy again
clean on-reboot

# Ctrl-C in the middle of unpacking a kernel
rm -rf /var/cache/xenolith
linux stopped 96 1 quiet "$full"
timeout -s INT 1 xn create /tmp/stopped.cfg 2>/tmp/err; status=$?
echo "note ctrl-c: $status: $(cat /tmp/err)"
# busybox's timeout replaces the status by 143 when it is the one who ended the command.
[ $status = 130 ] || [ $status = 143 ] && ok ctrl-c || bad "ctrl-c: status $status"
gone stopped && ok ctrl-c-gone || bad "ctrl-c-gone: $(xn list)"
clean ctrl-c

# xenstored dies and comes back while a domain is being made.
rm -rf /var/cache/xenolith
linux survivor 96 1 quiet "$full"
xn create -q /tmp/survivor.cfg >/tmp/out 2>&1 &
creator=$!
usleep 700000
kill -9 $(pidof xenstored)
usleep 300000
xenstored >>/run/xenstored.out 2>&1 &
wait $creator; status=$?
echo "note store-restart: $status: $(cat /tmp/out)"
if [ $status = 0 ]; then
    ready survivor && ok store-restart || bad "store-restart: created, but $(tail -n 3 $(log survivor))"
else
    gone survivor && [ "$(wc -l </tmp/out)" = 1 ] && ok store-restart || bad "store-restart: $(cat /tmp/out) $(xn list)"
fi
xn destroy survivor 2>/dev/null
# The restarted daemon holds other files open; all else is as before.
grep -v fds-xenstored /tmp/before >/tmp/before2
settled2() { counts | grep -v fds-xenstored | cmp - /tmp/before2; }
within 30 settled2 && ok store-restart-clean || { counts >/tmp/after; bad "store-restart-clean: $(diff /tmp/before /tmp/after | tr '\n' '|')"; }

# Daemons die under a running domain; it lives on, and they take over again.
linux living 96 1 "quiet xt.ip=10.76.0.5/16" "$full"
check living xn create -q /tmp/living.cfg
ready living || bad living-ready
for daemon in xenconsoled xenstored xn; do
    kill -9 $(pidof $daemon)
done
xenstored >>/run/xenstored.out 2>&1 &
within 20 xn list
xenconsoled >>/run/xenconsoled.out 2>&1 &
xn monitor >>/run/xn-monitor.out 2>&1 &
sleep 1
within 20 answers 10.76.0.5 && ok daemons-die || bad daemons-die
in_guest 10.76.0.5 'echo after-the-restart >/dev/console'
says living after-the-restart 20 && ok console-again || bad console-again
check shutdown-after xn shutdown living
within 60 gone living && ok monitor-again || bad "monitor-again: $(xn list)"
