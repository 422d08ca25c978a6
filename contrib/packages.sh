# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: ISC
#
# What Posthouse and its tests need from Debian 12, in one place; sourced by
# tests/run and contrib/try. Only what is missing is installed. Real mail
# servers are unpacked, never installed: Debian's two conflict, and neither
# is to serve the machine it is tested on.

# Names alone, for `apt-get install $(cat contrib/packages-build)`.
mapfile -t packages_build <"${BASH_SOURCE[0]%/*}/packages-build"
packages_try=(python3 python3-aiosmtpd)
packages_test=(
	btrfs-progs clang libclang-rt-14-dev libmail-deliverystatus-bounceparser-perl libmail-srs-perl logrotate
	llvm-14 mandoc openssl
	python3 python3-pytest python3-pytest-timeout python3-pytest-xdist python3-dkim python3-yaml python3-spf strace swaks
)
# Libraries of the servers in packages_unpack, and what shows Exim the
# account that Debian's build of it insists on.
packages_peers=(
	libdb5.3 libicu72 libnsl2 libsasl2-2 libidn12 libgnutls-dane0
	libpcre2-8-0 libnss-wrapper libsodium23 libunwind8
	libfstrm0 libprotobuf-c1 libpython3.11
)
# Of the browser; a server's machine has few of them.
packages_peers+=(
	fonts-dejavu-core libasound2 libatk1.0-0 libatspi2.0-0 libdav1d6
	libdbus-1-3 libdrm2 libfontconfig1 libfreetype6 libgbm1 libglib2.0-0
	libharfbuzz0b libjpeg62-turbo liblcms2-2 libnss3 libpng16-16
	libwayland-server0 libx11-6 libxcb1 libxcomposite1 libxdamage1 libxext6
	libxfixes3 libxi6 libxkbcommon0 libxrandr2 libxrender1
)
packages_unpack=(postfix exim4-daemon-light dovecot-core dovecot-lmtpd postsrsd nsd unbound)
# A browser that prints reports, and what it alone wants: unpacked too.
packages_unpack+=(
	chromium-common chromium-headless-shell libasyncns0 libdouble-conversion3 libflac12
	libharfbuzz-subset0 libminizip1 libmp3lame0 libmpg123-0 libogg0 libopenh264-7 libopenjp2-7
	libopus0 libpulse0 libsndfile1 libvorbis0a libvorbisenc2 libxnvctrl0
)

# sudo may ask where a user can answer.
as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif [ -t 0 ]; then
		sudo "$@"
	else
		sudo -n "$@"
	fi
}

# packages_need NAME...: installs what is missing of them.
packages_need()
{
	local missing

	missing=$(for p; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null |
			grep -q ' installed$' || echo "$p"
	done)
	[ -z "$missing" ] && return 0
	# shellcheck disable=SC2086 # a list of words
	echo installing: $missing
	as_root apt-get -q update >/dev/null || return 1
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		--no-install-recommends install $missing >/dev/null
}

# packages_get FOLDER NAME...: unpacks each into FOLDER/NAME.
packages_get()
{
	local folder=$1 p

	shift
	mkdir -p "$folder" || return 1
	for p; do
		[ -d "$folder/$p" ] && continue
		echo "unpacking: $p"
		(cd "$folder" && rm -f "${p}"_*.deb &&
			apt-get -q download "$p" >/dev/null 2>&1 &&
			dpkg -x "${p}"_*.deb "$p.part" &&
			mv "$p.part" "$p") || return 1
	done
}
