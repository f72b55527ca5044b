# What script/install and script/uninstall share: both show each command first, and run it then.
# shellcheck shell=sh disable=SC2034,SC2154 # they use the variables, and set $program

name=b2-iconik-plugin
state=/var/lib/$name
unit=/etc/systemd/system/$name.service
site=/etc/nginx/conf.d/$name.conf
web_user=www-data

complain() {
  echo "$program: $*" >&2
  exit 1
}

run() { # run COMMAND...: in the first round only shown
  if [ "$round" = show ]; then
    printf '  %s\n' "$*"
  else
    printf '+ %s\n' "$*"
    "$@"
  fi
}

show_and_do() { # show_and_do STEPS: a function that calls run; asks in between
  if [ -n "$dry_run" ] || [ -z "$yes" ]; then
    round=show
    "$1"
  fi
  [ -z "$dry_run" ] || exit 0
  [ "$(id -u)" = 0 ] || complain "this needs root: sudo $program"
  if [ -z "$yes" ]; then
    printf 'Run these commands? [y/N] '
    read -r answer || answer=
    case $answer in [yY]*) ;; *) echo "Nothing was done." && exit 1 ;; esac
  fi
  round='do'
  "$1"
}
