# Starting, watching and ending the lab's processes; sourced after settings.sh.
# A record $LAB_RUN/NAME.pid holds "pid start-tick": a pid alone could name a stranger after a reboot.

log() { printf '%s %s\n' "$(date +%H:%M:%S)" "$*"; }
fail() { log "$*" >&2; exit 1; }

# The tick at which a process started (field 22 of /proc/PID/stat, counted after the command's closing bracket).
start_tick() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) }
  set -- $stat
  echo "${20}"
}

# pid_of NAME: the pid of a running process of ours, or nothing and status 1
pid_of() {
  local pid tick
  read -r pid tick 2>/dev/null <"$LAB_RUN/$1.pid" || return 1
  [ "$(start_tick "$pid")" = "$tick" ] || return 1
  echo "$pid"
}

alive() { pid_of "$1" >/dev/null; }

# start NAME COMMAND...: runs it in a session of its own; NAME.cmd keeps the command and its environment for svc.sh
start() {
  local name=$1; shift
  alive "$name" && return 0
  { export -p | grep -E '^declare -x (OS_|TMPDIR|PATH|PYTHON|OV[NS]_|RABBITMQ_|ERL_|HOME)' || true
    printf 'exec'; printf ' %q' "$@"; echo; } >"$LAB_RUN/$name.cmd"
  relaunch "$name"
}

# relaunch NAME: starts what start() recorded
relaunch() {
  setsid bash "$LAB_RUN/$1.cmd" >>"$LAB_LOGS/$1.log" 2>&1 </dev/null &
  local pid=$!
  echo "$pid $(start_tick "$pid")" >"$LAB_RUN/$1.pid"
}

# session_alive PID: does any process of that process group live?
session_alive() { kill -0 -- "-$1" 2>/dev/null; }

# end SIGNAL SECONDS NAME...: signals each process group, waits, kills what is left, removes the records
end() {
  local signal=$1 seconds=$2 name pid left tries; shift 2
  for name; do pid=$(pid_of "$name") && kill "-$signal" -- "-$pid" 2>/dev/null; done
  for (( tries = seconds * 4; tries > 0; tries-- )); do
    left=0
    for name; do pid=$(pid_of "$name") && session_alive "$pid" && left=1; done
    [ "$left" = 0 ] && break
    sleep 0.25
  done
  for name; do
    pid=$(pid_of "$name") && kill -KILL -- "-$pid" 2>/dev/null
    rm -f "$LAB_RUN/$name.pid"
  done
  return 0
}

# names: every process the lab has a record of
names() {
  local record
  for record in "$LAB_RUN"/*.pid; do [ -e "$record" ] && basename "$record" .pid; done
}

# wait_port PORT SECONDS
wait_port() {
  local tries
  for (( tries = $2 * 5; tries > 0; tries-- )); do
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0
    sleep 0.2
  done
  fail "port $1 is not open after $2 s; the logs are in $LAB_LOGS"
}

# claim_port PORT NAME: fails where somebody who is not our process NAME listens on the port
claim_port() {
  alive "$2" && return 0
  ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null || fail "port $1, which $2 needs, is taken by a process that is not of \
the lab in $TRESOR_LAB; is another lab running? LAB_PORT_SHIFT moves all ports"
}

# wait_http URL SECONDS: any HTTP status below 500 is an answer
wait_http() {
  local deadline=$(( SECONDS + $2 )) status
  while :; do
    status=$(curl -s -o /dev/null -w '%{http_code}' --noproxy '*' --max-time 20 "$1" || true)
    [ "${status:-0}" -ge 200 ] && [ "$status" -lt 500 ] && return 0
    [ "$SECONDS" -lt "$deadline" ] || fail "no answer from $1 (HTTP $status) after $2 s; the logs are in $LAB_LOGS"
    sleep 0.5
  done
}

# start_api NAME PORT WSGI-MODULE [ARGUMENTS] [WORKERS]: an API under uWSGI
start_api() {
  local name=$1 port=$2 module=$3 arguments=${4:-} workers=${5:-1}
  cat >"$LAB_ETC/uwsgi-$name.ini" <<INI
[uwsgi]
module = $module
http-socket = 127.0.0.1:$port
virtualenv = $LAB_VENV
master = true
processes = $workers
threads = 4
enable-threads = true
thunder-lock = true
lazy-apps = true
need-app = true
die-on-term = true
exit-on-reload = true
buffer-size = 65535
http-chunked-input = true
add-header = Connection: close
start-time = %t
name = $name
disable-logging = true
INI
  [ -z "$arguments" ] || echo "pyargv = $arguments" >>"$LAB_ETC/uwsgi-$name.ini"
  start "$name" uwsgi --ini "$LAB_ETC/uwsgi-$name.ini"
}

# The environment of the lab's own RabbitMQ node and its tools: nothing of a system-wide broker is read or written.
rabbit_environment() {
  export RABBITMQ_NODENAME=tresor-lab@localhost RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT=$LAB_PORT_AMQP
  export RABBITMQ_DIST_PORT=$LAB_PORT_ERLANG ERL_EPMD_PORT=$LAB_PORT_EPMD ERL_EPMD_ADDRESS=127.0.0.1
  export RABBITMQ_MNESIA_BASE=$TRESOR_LAB/rabbit/mnesia RABBITMQ_LOG_BASE=$LAB_LOGS
  export RABBITMQ_CONFIG_FILE=$LAB_ETC/rabbitmq RABBITMQ_CONF_ENV_FILE=$LAB_ETC/rabbitmq-env.conf
  export RABBITMQ_ENABLED_PLUGINS_FILE=$LAB_ETC/rabbitmq_plugins RABBITMQ_HOME=/usr/lib/rabbitmq HOME=$TRESOR_LAB/rabbit
  export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
}
rabbitmqctl_lab() { ( rabbit_environment; /usr/lib/rabbitmq/bin/rabbitmqctl -q "$@" ); }
