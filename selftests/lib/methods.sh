# shellcheck shell=bash
# Forwarding methods by name, as the command line has them, with either module.
# Sourced, never run.

# how METHOD
how() {
    case $1 in
    nat) echo -m ;;
    fullnat) echo --fullnat ;;
    dr) echo -g ;;
    ipip) echo -i ;;
    gre) echo -i --tun-type gre ;;
    gre-csum) echo -i --tun-type gre --tun-csum ;;
    gue) echo -i --tun-type gue --tun-port $GUE_PORT --tun-nocsum ;;
    gue-csum) echo -i --tun-type gue --tun-port $GUE_PORT --tun-csum ;;
    gue-remcsum) echo -i --tun-type gue --tun-port $GUE_PORT --tun-remcsum ;;
    esac
}

# overhead METHOD OUTER: what the headers of a tunnel take.
overhead() {
    local ip=20
    [ "$2" = v4 ] || ip=40
    case $1 in
    ipip) echo $ip ;;
    gre) echo $((ip + 4)) ;;
    gre-csum) echo $((ip + 8)) ;;
    gue | gue-csum) echo $((ip + 12)) ;;
    gue-remcsum) echo $((ip + 20)) ;;
    *) echo 0 ;;
    esac
}

# rules: services and servers from stdin instead of those that there are, by the module that is in.
rules() {
    local restore=adm
    [ "$DIRECTOR" = lvs ] || restore=stock
    in_ns director ipvsadm -C </dev/null
    $restore -R
}

# own_options METHOD: what a service of ours needs besides. Local addresses of earlier ones are still there.
own_options() { [ "$DIRECTOR $1" != 'lvs nat' ] || echo --masq-only; }

# served METHOD SERVER [PORT]: TCP 80 and UDP 5000 of the VIP by that method; TCP goes to PORT, UDP to the same one.
served() {
    local options own; options=$(how "$1") own=$(own_options "$1")
    {
        printf '%s\n' "-A -t $vip:80 -s rr $own" "-A -u $vip:5000 -s rr $own"
        [ "$1" != fullnat ] || printf '%s\n' "-P -t $vip:80 -z $LIP1" "-P -u $vip:5000 -z $LIP1"
        printf '%s\n' "-a -t $vip:80 -r $2:${3:-80} $options" "-a -u $vip:5000 -r $2:5000 $options"
    } | rules
}

# fresh_ports COUNT: the first of that many ports that nobody has asked from. Connections of datagrams outlive their
# servers by minutes: who asks from the same port again meets one.
fresh_ports() {
    local first; first=$(recall fresh 2>/dev/null || echo 20000)
    remember fresh $((first + $1))
    echo "$first"
}

# ask_anew NS ADDRESS PORT TEXT: as ask_udp, from such a port.
ask_anew() { ask_udp "$@" "$(fresh_ports 1)"; }

# director_is lvs|stock: that module is in, and not the other one.
director_is() {
    local module=lvs
    DIRECTOR=$1
    [ "$1" = lvs ] || module=ip_vs
    loaded $module || { modules_out; "${1}_in"; }
}
