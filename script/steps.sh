# Functions for script/install and script/uninstall. Both show all commands first, and then run them.
# shellcheck shell=sh disable=SC2034,SC2154 # the scripts use the variables, and set $program

name=b2-iconik-plugin
state=/var/lib/$name
unit=/etc/systemd/system/$name.service
site=/etc/nginx/conf.d/$name.conf
web_user=www-data

complain() {
  echo "$program: $*" >&2
  exit 1
}

run() { # run COMMAND...: only shows the command in the first round
  if [ "$round" = show ]; then
    printf '  %s\n' "$*"
  else
    printf '+ %s\n' "$*"
    "$@"
  fi
}

show_and_do() { # show_and_do STEPS: calls the function STEPS to show, asks, and calls it to run
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
