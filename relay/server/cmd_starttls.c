/* SPDX-License-Identifier: ISC
 *
 * STARTTLS (RFC 3207). What was said before TLS is forgotten, and what was
 * sent ahead of it ends the session: CVE-2011-0411, commands that a man in
 * the middle put before the handshake and that were run after it.
 */
#include "relay/server/session_int.h"

enum next cmd_starttls(struct session *s, const struct smtp_cmd *cmd)
{
	struct reply r;
	SSL *ssl;

	if (cmd->arg.n > 0)
		return session_refuse(s, 501, "5.5.4", "STARTTLS stands alone");
	if (*session_tls(s) != '\0')
		return session_refuse(s, 503, "5.5.1", "TLS is in use");
	if (s->tls == NULL)
		return session_refuse(s, 502, "5.5.1", "TLS is not offered");
	ssl = tls_server_session(s->tls);
	if (ssl == NULL)
		return session_refuse(s, 454, "4.7.0", "TLS is not available");
	reply_set(&r, 220, "2.0.0", "Ready to start TLS");
	session_say(s, &r);
	stream_flush(s->stream);
	return stream_tls_accept(s->stream, ssl) ? NEXT_TLS : NEXT_CLOSE;
}

enum next starttls_at_once(struct session *s)
{
	SSL *ssl = s->tls == NULL ? NULL : tls_server_session(s->tls);

	if (ssl == NULL || !stream_tls_accept_rest(s->stream, ssl)) {
		session_aborted(s, STAGE_TLS, "TLS is not available");
		return NEXT_CLOSE;
	}
	return NEXT_TLS;
}

/* Only a listener with auth asks for the certificate, and any is taken: that
 * the client has its key is proven, and whose it is says its fingerprint. */
static void note_certificate(struct session *s)
{
	X509 *cert = SSL_get1_peer_certificate(stream_ssl(s->stream));

	if (cert == NULL)
		return;
	mem_free(s->certificate);
	s->certificate = mem_new(TLS_FINGERPRINT);
	tls_fingerprint(cert, s->certificate);
	X509_free(cert);
}

void starttls_done(struct session *s)
{
	note_certificate(s);
	if (auth_offered(s))
		stream_secret(s->stream, true, KEEP_AUTH);
	mem_free(s->helo);
	s->helo = NULL;
	s->esmtp = false;
}
